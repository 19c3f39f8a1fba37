// Shows the galaxies that fulfil the conditions, in the table, the plots and the histograms.
const data = source.data
const n = data.id.length
const complaints = []

const compare = {
  "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b,
  "=": (a, b) => a == b, "==": (a, b) => a == b, "!=": (a, b) => a != b,
}
const mirrored = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "==": "==", "!=": "!="}
const number = "[-+]?(?:\\d+\\.?\\d*|\\.\\d+)(?:e[-+]?\\d+)?"
const range = new RegExp(`^(${number})\\s*(<=|<|>=|>)\\s*(\\w+)\\s*(<=|<|>=|>)\\s*(${number})$`, "i")
const relation = /^(\w+)\s*(<=|>=|!=|==|<|>|=)\s*(.+)$/

// The values of a column, in any case of its name.
function columnOf(name) {
  const exact = Object.keys(data).find((key) => key == name)
  const key = exact ?? Object.keys(data).find((each) => each.toLowerCase() == name.toLowerCase())
  return key === undefined || key.startsWith("_") ? undefined : data[key]
}

// What one condition says of each galaxy; undefined where it is not understood.
function conditionOf(text) {
  const negated = text.match(/^(?:not\s+|!\s*)(.+)$/i)
  if (negated) {
    const inner = conditionOf(negated[1])
    return inner && ((i) => !inner(i))
  }
  const flagged = names.find((name) => name == text.toUpperCase())
  if (flagged) return (i) => data.flags[i].split(" ").includes(flagged)
  const between = text.match(range)
  if (between) {
    const column = columnOf(between[3])
    if (!column || typeof column[0] == "string") return undefined
    const above = compare[mirrored[between[2]]], below = compare[between[4]]
    return (i) => above(column[i], Number(between[1])) && below(column[i], Number(between[5]))
  }
  const match = text.match(relation)
  const column = match && columnOf(match[1])
  if (!column) return undefined
  if (typeof column[0] == "string") { // "=" and "!=": has, and has not, this text in it
    const wanted = match[3].toLowerCase(), has = match[2] != "!="
    return (i) => column[i].toLowerCase().includes(wanted) == has
  }
  if (match[3].trim() == "" || isNaN(Number(match[3]))) return undefined
  return (i) => compare[match[2]](column[i], Number(match[3]))
}

// "or" binds less than "and" and the comma, which mean the same.
function alternativesOf(text) {
  const understood = (part) => {
    const condition = conditionOf(part)
    if (!condition) complaints.push(part)
    return condition ?? (() => true)
  }
  return text.split(/\s+or\s+/i).map((alternative) =>
    alternative.split(/,|\s+and\s+/i).map((part) => part.trim()).filter((part) => part)
      .map(understood))
}

const alternatives = alternativesOf(conditions.value)
const keep = Array.from({length: n}, (_, i) =>
  alternatives.some((parts) => parts.every((condition) => condition(i))))
function restrict(test) {
  for (let i = 0; i < n; i++) keep[i] = keep[i] && test(i)
}
if (flag.value == "none") restrict((i) => data.flags[i] == "")
else if (flag.value != "any") restrict((i) => data.flags[i].split(" ").includes(flag.value))
// Here and not in a callback of its own: Bokeh does not wait for one before it runs the next.
if (cb_obj == only) only.tags = only.active ? [...source.selected.indices] : []
if (only.active) {
  const chosen = new Set(only.tags)
  restrict((i) => chosen.has(i))
}

for (const {name, edges, bars} of histograms) {
  const counts = new Array(edges.length - 1).fill(0)
  for (let i = 0; i < n; i++) {
    const value = data[name][i]
    if (!keep[i] || !(value >= edges[0] && value <= edges[edges.length - 1])) continue
    let bin = 0
    while (bin < counts.length - 1 && value >= edges[bin + 1]) bin++
    counts[bin]++
  }
  bars.data = {...bars.data, shown: counts}
}
rows.booleans = keep
const shown = keep.filter((kept) => kept).length
count.text = `<b>${shown.toLocaleString("en")}</b> of ${n.toLocaleString("en")} galaxies shown` +
  (complaints.length ? `<br><span style="color:#b00">not understood: ${
    complaints.map((text) => text.replace(/</g, "&lt;")).join(", ")}</span>` : "")
