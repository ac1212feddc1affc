/** The machines that tests run in. A test file says by its name which it needs. */
import { emulator, prepareEmulator } from './emulator.mjs'
import { prepareKernel } from './kernel.mjs'
import { userModeLinux } from './user-mode-linux.mjs'

/**
 * `suffix`: its files are *.<suffix>.test.ts, or all that name none. `prepare` makes what `command` needs
 * beside the image and the control directory.
 */
export const MACHINES = [
  { name: 'one-cpu', prepare: prepareKernel, command: userModeLinux, cpus: 1 },
  // Half as fast, so only for what one processor cannot show.
  { name: 'two-cpus', suffix: 'smp', prepare: prepareKernel, command: userModeLinux, cpus: 2 },
  // For huge pages and criu. Too slow to come along each time.
  {
    name: 'emulated',
    suffix: 'emulated',
    prepare: prepareEmulator,
    command: emulator,
    cpus: 2,
    onRequest: true,
  },
]

/** The machines that run the test files among `words`; where there is none, those that take no request. */
export function machinesFor(words) {
  const files = words.filter((word) => word.endsWith('.test.ts'))
  if (files.length === 0) return MACHINES.filter(({ onRequest }) => onRequest !== true)
  return MACHINES.filter((machine) => files.some((file) => machineOf(file) === machine))
}

function machineOf(file) {
  const named = MACHINES.find(({ suffix }) => file.endsWith(`.${suffix}.test.ts`))
  return named ?? MACHINES[0]
}
