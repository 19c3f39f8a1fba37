// Shows the galaxies that fulfil all conditions, in the table, the plots and the histograms.
const data = source.data
const n = data.id.length
const keep = new Array(n).fill(true)
const complaints = []

function restrict(test) {
  for (let i = 0; i < n; i++) keep[i] = keep[i] && test(i)
}

const compare = {
  "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b,
  "=": (a, b) => a == b, "!=": (a, b) => a != b,
}
for (const part of conditions.value.split(",").filter((part) => part.trim())) {
  const match = part.match(/^\s*(\w+)\s*(<=|>=|!=|<|>|=)\s*(.+?)\s*$/)
  const column = match && data[match[1]]
  if (!column) {
    complaints.push(part.trim())
  } else if (typeof column[0] == "string") { // "=" and "!=": has, and has not, this text in it
    const wanted = match[3].toLowerCase(), has = match[2] != "!="
    restrict((i) => column[i].toLowerCase().includes(wanted) == has)
  } else if (isNaN(Number(match[3]))) {
    complaints.push(part.trim())
  } else {
    restrict((i) => compare[match[2]](column[i], Number(match[3])))
  }
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
