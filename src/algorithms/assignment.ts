/**
 * Optimal assignment: gives each row at most one column, and each column at most one row, so that as many pairs as
 * possible are cheaper than `limit` and their costs add up to the least. `costs` has one array per row, all of the
 * same length. The answer holds, for each row, its column or -1.
 *
 * Shortest augmenting paths with potentials (Kuhn and Munkres in the form of Jonker and Volgenant), O(rows² · columns).
 */
export function assign(costs: readonly ArrayLike<number>[], limit: number): Int32Array {
  const rows = costs.length;
  const columns = costs[0]?.length ?? 0;
  if (rows === 0 || columns === 0) return new Int32Array(rows).fill(-1);
  // A forbidden pair costs more than all allowed ones together, so it is taken only where nothing else is left.
  const forbidden = 1 + limit * (Math.min(rows, columns) + 1);
  const cost = (row: number, column: number): number => {
    const value = costs[row]?.[column] ?? forbidden;
    return value < limit ? value : forbidden;
  };
  const result = new Int32Array(rows).fill(-1);
  if (rows <= columns) {
    const owners = solve(rows, columns, cost);
    owners.forEach((row, column) => {
      if (row >= 0 && cost(row, column) < limit) result[row] = column;
    });
  } else {
    const owners = solve(columns, rows, (column, row) => cost(row, column));
    owners.forEach((column, row) => {
      if (column >= 0 && cost(row, column) < limit) result[row] = column;
    });
  }
  return result;
}

/** Assigns every one of `rows` to one of `columns` (rows ≤ columns); gives for each column its row or -1. */
function solve(rows: number, columns: number, cost: (row: number, column: number) => number): Int32Array {
  const rowPotential = new Float64Array(rows);
  const columnPotential = new Float64Array(columns);
  const owner = new Int32Array(columns).fill(-1);
  const previous = new Int32Array(columns);
  const distance = new Float64Array(columns);
  const visited = new Uint8Array(columns);
  for (let start = 0; start < rows; start++) {
    distance.fill(Number.POSITIVE_INFINITY);
    visited.fill(0);
    previous.fill(-1);
    // Dijkstra over reduced costs, from the new row to the nearest column that nobody owns.
    let row = start;
    let reached = -1;
    let length = 0;
    for (;;) {
      let nearest = -1;
      for (let column = 0; column < columns; column++) {
        if (visited[column] === 1) continue;
        const reduced = cost(row, column) - get(rowPotential, row) - get(columnPotential, column) + length;
        if (reduced < get(distance, column)) {
          distance[column] = reduced;
          previous[column] = reached;
        }
        if (nearest < 0 || get(distance, column) < get(distance, nearest)) nearest = column;
      }
      reached = nearest;
      length = get(distance, nearest);
      visited[nearest] = 1;
      if (get(owner, nearest) < 0) break;
      row = get(owner, nearest);
    }
    rowPotential[start] = get(rowPotential, start) + length;
    for (let column = 0; column < columns; column++) {
      if (visited[column] !== 1) continue;
      const gain = length - get(distance, column);
      columnPotential[column] = get(columnPotential, column) - gain;
      const owning = get(owner, column);
      if (owning >= 0) rowPotential[owning] = get(rowPotential, owning) + gain;
    }
    // Hand the columns along the path one row further.
    while (reached >= 0) {
      const before = get(previous, reached);
      owner[reached] = before < 0 ? start : get(owner, before);
      reached = before;
    }
  }
  return owner;
}

/** An element known to be there. */
function get(values: Float64Array | Int32Array, index: number): number {
  return values[index] as number;
}
