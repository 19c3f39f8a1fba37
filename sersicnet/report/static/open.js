// Opens the first selected galaxy: image | model | residual, posterior, values and flags.
const row = source.selected.indices[0]
if (row === undefined) return
const data = source.data
const escape = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;")

function digits(value, error) {
  const places = error > 0 ? 1 - Math.floor(Math.log10(error)) : 3
  return value.toFixed(Math.min(Math.max(places, 0), 6))
}

function rounded(value) {
  return typeof value == "string" ? value : Number(value.toPrecision(8))
}

function line(name) {
  const value = data[name][row]
  if (!isFinite(value)) return `<tr><th>${name}</th><td>not measured</td></tr>`
  const up = data[name + "_hi"][row] - value, down = value - data[name + "_lo"][row]
  const error = isFinite(up) ? Math.min(up, down) : data[name + "_err"][row]
  const spread = isFinite(up)
    ? `<sup>+${digits(up, error)}</sup><sub>&minus;${digits(down, error)}</sub>`
    : isFinite(error) ? `&plusmn; ${digits(error, error)}` : ""
  const known = data["true_" + name], pull = data["pull_" + name]
  const truth = known ? `<td>${digits(known[row], error)}</td>` +
    `<td>${pull && isFinite(pull[row]) ? pull[row].toFixed(1) : ""}</td>` : ""
  return `<tr><th>${name}</th><td>${digits(value, error)} ${spread} ${units[name]}</td>${truth}</tr>`
}

const [url, ...more_urls] = document.getElementById("pictures").textContent.split("\n")[row].split(" ")
const strip = url ? `<img src="${url}"><div class="names"><span>image</span><span>model</span>` +
  `<span>residual (&plusmn;${limit} &sigma;)</span></div>` +
  more_urls.map((each) => `<img src="${each}">`).join("") : `<p class="none">${no_picture}</p>`
const flags = data.flags[row].split(" ").filter((name) => name)
  .map((name) => `<li><b>${name}</b> ${meanings[name]}</li>`).join("")
const more = others.filter((name) => typeof data[name][row] == "string" || isFinite(data[name][row]))
  .map((name) => `${escape(name)} = ${escape(rounded(data[name][row]))}`).join(", ")
const parts = groups.filter(([, names]) => names.some((name) => isFinite(data[name][row])))
  .map(([part, names]) => `<tr class="head"><td colspan="4">${escape(part)}</td></tr>` +
    names.map(line).join("")).join("")
const header = has_truth ? "<tr class='head'><th></th><td>measured</td><td>true</td><td>pull</td></tr>" : ""
panel.text = `<h3>${escape(data.id[row])}</h3>${strip}` +
  `<table>${header}${parameters.map(line).join("")}${parts}</table>` +
  (more ? `<p>${more}</p>` : "") + (flags ? `<ul>${flags}</ul>` : "<p>no flags</p>")

const points = {}
curves.forEach(({name, source: curve, line: mark, range}, k) => {
  const at = row * curves.length + k
  const low = limits[2 * at], width = limits[2 * at + 1] - low
  const number = heights.length / (data.id.length * curves.length)
  const x = Array.from({length: number}, (_, i) => low + width * i / (number - 1))
  const y = Array.from({length: number}, (_, i) => heights[number * at + i] / 255)
  curve.data = {x, y}
  range.setv(isFinite(width) ? {start: low, end: low + width} : {start: 0, end: 1})
  const truth = data["true_" + name]
  mark.location = truth && isFinite(truth[row]) ? truth[row] : null
  if (samples !== null) {
    const kept = samples.length / (data.id.length * curves.length)
    points[name] = Array.from({length: kept}, (_, i) => low + width * samples[kept * at + i] / 255)
  }
})
if (samples !== null) cloud.data = points
