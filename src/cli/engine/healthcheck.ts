/** `tsrun healthcheck run`: one health check now, by the container's monitor. */
import { checkHealth } from '../../engine/check-health.ts'
import { openEngine } from '../../engine/engine.ts'
import type { CommandInput, EngineCommand } from './command.ts'

const EXIT_UNHEALTHY = 1

export const command: EngineCommand = {
  usage: 'healthcheck run CONTAINER',
  describe:
    'Check the health of a container now. Exits with 0 when the check succeeds, with 1 when it fails.',
  options: {},
  examples: [{ does: 'In a script', line: 'healthcheck run web && echo web works' }],
  positionals: { min: 1, max: 1 },
  run,
}

async function run({ positionals, roots }: CommandInput): Promise<number> {
  const engine = openEngine(roots)
  await engine.sweep()
  const { health, exitCode } = await checkHealth(
    engine,
    engine.containers.find(positionals[0] ?? ''),
  )
  if (exitCode === 0) return 0
  process.stdout.write(`${health}\n`)
  return EXIT_UNHEALTHY
}
