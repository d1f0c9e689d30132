// node medians.mjs FILE FIELD…: prints each field's median over the JSON lines of a file; `a.b` is b of a.
import { readFileSync } from "node:fs";

const [file, ...fields] = process.argv.slice(2);
const runs = readFileSync(file, "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line));

for (const field of fields) {
  const values = runs.map((run) => field.split(".").reduce((value, key) => value?.[key], run));
  if (values.length === 0 || values.some((value) => typeof value !== "number")) {
    console.error(`medians: ${field} is not a number in every run: ${values.join(", ") || "there was no run"}`);
    process.exit(1);
  }
  values.sort((a, b) => a - b);
  const middle = values.length >> 1;
  const median = values.length % 2 === 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  console.log(`  ${field}: median ${median}, from ${values[0]} to ${values.at(-1)}`);
}
