// What M and R come to. Tables come from Python once; every number shown is interpolated in them, as Python would.
const multiplier = (M, R) => M + (3 * (M - 1)) / R;

// The value of a column at a budget, interpolated in its logarithm; the last one beyond what was measured.
function at(grid, column, budget) {
  if (budget < grid[0]) return null;
  if (budget >= grid[grid.length - 1]) return column[column.length - 1];
  let i = 1;
  while (grid[i] < budget) i += 1;
  const [a, b] = [column[i - 1], column[i]];
  if (a == null || b == null) return null;
  return a + ((b - a) * Math.log(budget / grid[i - 1])) / Math.log(grid[i] / grid[i - 1]);
}

const ends = (grid, of, budget) => ["mean", "low", "high"].map((name) => at(grid, of[name], budget));

// Who wins in a bin: only an interval that leaves 0 out tells (as Home and docs/science.md have it).
function verdict([, low, high]) {
  if (low == null) return "";
  if (low > 0) return "small model better";
  if (high < 0) return "larger model better";
  return "undecided";
}
