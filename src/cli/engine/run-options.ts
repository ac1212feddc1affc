/** The options of `tsrun run` and what they ask of the engine; run-options/ has them group by group. */
import type { RunRequest } from '../../engine/run-request.ts'
import type { CommandOptions, OptionSpec } from './command.ts'
import { ENVIRONMENT_OPTIONS } from './run-options/environment-options.ts'
import { IMAGE_OPTIONS, imageRequest } from './run-options/image-options.ts'
import { LIFE_OPTIONS, lifeRequest } from './run-options/life-options.ts'
import { LIMIT_OPTIONS, limitRequest } from './run-options/limit-options.ts'
import { MOUNT_OPTIONS, mountRequest } from './run-options/mount-options.ts'
import { NAMESPACE_OPTIONS, namespaceRequest } from './run-options/namespace-options.ts'
import { NETWORK_OPTIONS, networkRequest, networkWarnings } from './run-options/network-options.ts'
import { PROCESS_OPTIONS, processRequest } from './run-options/process-options.ts'
import { checkRefused, REFUSED_OPTIONS } from './run-options/refused-options.ts'
import { SECURITY_OPTIONS, securityRequest } from './run-options/security-options.ts'
import { warn } from './warn.ts'

export const RUN_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  ...PROCESS_OPTIONS,
  ...LIFE_OPTIONS,
  ...ENVIRONMENT_OPTIONS,
  ...IMAGE_OPTIONS,
  ...MOUNT_OPTIONS,
  ...NAMESPACE_OPTIONS,
  ...NETWORK_OPTIONS,
  ...SECURITY_OPTIONS,
  ...LIMIT_OPTIONS,
  ...REFUSED_OPTIONS,
}

/** The request for `tsrun run <options> <positionals>`. */
export function runRequestOf(options: CommandOptions, positionals: readonly string[]): RunRequest {
  for (const problem of [...checkRefused(options), ...networkWarnings(options)]) warn(problem)
  const [image = '', ...command] = positionals
  return {
    ...imageRequest(options, image),
    command,
    ...processRequest(options),
    ...lifeRequest(options),
    ...mountRequest(options),
    ...namespaceRequest(options),
    ...networkRequest(options),
    ...securityRequest(options),
    ...limitRequest(options),
  }
}
