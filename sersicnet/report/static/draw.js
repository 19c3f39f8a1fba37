// Draws figures once the browser has shown what is there already: they are the most work.
const place = tabs === null ? 0 : tabs.active
const box = boxes[place], figures = contents[place]
requestAnimationFrame(() => setTimeout(() => {
  if (box.children[0] != figures) box.children = [figures]
}))
