/** How often it is asked whether a change has arrived at the gateways. */

/** As a rule it arrives within a second. */
const SOON_MS = 1_000;
/** A gateway that hangs may take until somebody looks after it. */
const LATE_MS = 5_000;
const LATE_AFTER_MS = 30_000;

const underWaySince = new WeakMap<object, number>();

/** For one thing that is watched, and told of each time it is looked at; `false` if nothing is under way. */
export function watchMs(watched: object, isUnderWay: boolean, nowMs = Date.now()): number | false {
  if (!isUnderWay) {
    underWaySince.delete(watched);
    return false;
  }
  const since = underWaySince.get(watched) ?? nowMs;
  underWaySince.set(watched, since);
  return nowMs - since < LATE_AFTER_MS ? SOON_MS : LATE_MS;
}
