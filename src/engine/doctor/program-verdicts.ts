/** Programs that some commands call. */
import type { HostReader } from './host-reader.ts'
import { ok, type Verdict, warn } from './verdict.ts'

export function examineCriu(host: HostReader): Verdict {
  const path = host.find('criu')
  if (path !== undefined) return ok('criu', path)
  return warn('criu', 'it is not installed: no checkpoints', 'install criu 3.16 or newer')
}
