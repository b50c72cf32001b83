import { chance } from "./chance.ts";
import type { FaultName, PromptFault, SimulatorSettings } from "./settings.ts";
import { faultNames } from "./settings.ts";

/** Decides which calls go wrong, and how. */
export interface FaultChooser {
  /** The fault of a call, by its prompt or else by chance; undefined for most. */
  choose(settings: SimulatorSettings, callNumber: number, prompt: string): FaultName | undefined;
}

/** Which fault a number from 0 to 1 falls on, when the rates stand side by side. */
function byChance(settings: SimulatorSettings, callNumber: number): FaultName | undefined {
  let drawn = chance(settings.faultSeed, callNumber);
  for (const name of faultNames) {
    drawn -= settings.faults[name] ?? 0;
    if (drawn < 0) return name;
  }
  return undefined;
}

/** A chooser that counts how often each prompt fault struck. */
export function faultChooser(): FaultChooser {
  const struck = new WeakMap<PromptFault, number>();
  return {
    choose: (settings, callNumber, prompt) => {
      for (const rule of settings.promptFaults) {
        const count = struck.get(rule) ?? 0;
        if (!prompt.includes(rule.match) || count >= (rule.times ?? Infinity)) continue;
        struck.set(rule, count + 1);
        return rule.fault;
      }
      return byChance(settings, callNumber);
    },
  };
}
