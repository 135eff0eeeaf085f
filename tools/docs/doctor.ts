import { DOCTOR_CHECKS } from "../../src/api-schema/doctor-checks.ts";

/** Rows of docs/reference/doctor.md: check, where it runs, what it looks at. */
export function doctorRows(): readonly (readonly string[])[] {
  return Object.entries(DOCTOR_CHECKS).map(([name, { runs, looksAt }]) => [`\`${name}\``, runs, looksAt]);
}
