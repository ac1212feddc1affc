/** Options of `run` and `create` about namespaces: which are the container's own, and whose the others are. */
import type { RunRequest } from '../../../engine/run-request.ts'
import { TsrunError } from '../../../errors.ts'
import type { CommandOptions, OptionSpec } from '../command.ts'

export const NAMESPACE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  network: { type: 'string', describe: 'none, which is the default, or host', value: 'none|host' },
}

export function namespaceRequest(options: CommandOptions): Partial<RunRequest> {
  return { network: networkOf(options.string('network')) }
}

function networkOf(text: string | undefined): RunRequest['network'] {
  if (text === undefined || text === 'none' || text === 'host') return text ?? 'none'
  throw new TsrunError(
    'not-implemented',
    `cannot use the network "${text}": this tsrun has only none and host`,
  )
}
