/** How many times longer things may take than on a machine that is not simulated. */
export const PATIENCE = process.env.TSRUN_TEST_MACHINE === undefined ? 1 : 5
