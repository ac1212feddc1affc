/** Golden plans: a small config with one concern, and the lines of its plan that belong to it. */
import { expect, test } from 'vitest'
import type { Process, RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { compileCreate } from '../../src/plan/compile-create.ts'
import type { CompileCreateOptions } from '../../src/plan/compile-options.ts'
import { formatPlan } from '../../src/plan/format-plan.ts'
import type { Plan } from '../../src/plan/plan.ts'

export const FEATURES = {
  cloneIntoCgroup: true,
  lastCapability: 40,
  withheldCapabilities: [],
  makesDevices: true,
  timeNamespaces: true,
  apparmor: false,
  selinux: false,
}

export const OPTIONS: CompileCreateOptions = {
  architecture: 'x86_64',
  features: FEATURES,
  supervise: false,
  preservedFds: 0,
  console: false,
  rootfs: '/bundle/rootfs',
  gate: true,
  containerId: 'golden',
  bundle: '/bundle',
}

export const SMALL: RuntimeConfig = {
  ociVersion: '1.3.0',
  root: { path: 'rootfs' },
  process: { cwd: '/', args: ['/bin/true'], env: ['PATH=/bin'], user: { uid: 0, gid: 0 } },
  linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }] },
}

export interface Golden {
  readonly name: string
  readonly config?: Partial<RuntimeConfig>
  readonly process?: Partial<Process>
  readonly linux?: RuntimeConfig['linux']
  readonly options?: Partial<CompileCreateOptions>
  /** Only instructions whose origin starts with one of these are compared; none means all. */
  readonly origins?: readonly string[]
}

/** Compares the plan of each case with test/golden/<name>.txt; for tests two folders below test/. */
export function testGoldenPlans(cases: readonly Golden[]): void {
  for (const golden of cases) {
    test(golden.name, async () => {
      const config: RuntimeConfig = {
        ...SMALL,
        ...golden.config,
        process: { cwd: '/', ...SMALL.process, ...golden.process },
        linux: { ...SMALL.linux, ...golden.linux },
      }
      const plan = compileCreate(config, { ...OPTIONS, ...golden.options })
      await expect(filteredPlan(plan, golden.origins)).toMatchFileSnapshot(
        `../../golden/${golden.name}.txt`,
      )
    })
  }
}

/** The plan as text; with `origins` only their lines, without the numbers that other concerns shift. */
export function filteredPlan(plan: Plan, origins: readonly string[] | undefined): string {
  const text = formatPlan(plan)
  if (origins === undefined) return text
  return `${text
    .split('\n')
    .filter((line) => origins.some((origin) => (line.split('  # ')[1] ?? '').startsWith(origin)))
    .map((line) => line.replace(/^ *\d+/, (number) => ' '.repeat(number.length)))
    .map((line) => line.replaceAll(/ goto \d+/g, ' goto …').replaceAll(/@\d+/g, '@…'))
    .map((line) => line.replaceAll(/%(\w+?)_\d+\b/g, '%$1'))
    .join('\n')}\n`
}
