// Keeps rows without a value at the end when the table is sorted, also from high to low.
const provider = Object.getPrototypeOf(table.document.views_manager.find_one(table).data)
const sort = provider.sort
provider.sort = function (columns) {
  sort.call(this, columns)
  const values = columns.length ? this.source.data[columns[0].sortCol.field] ?? [] : []
  const lost = (row) => Number.isNaN(values[row])
  this.index = [...this.index.filter((row) => !lost(row)), ...this.index.filter(lost)]
}
