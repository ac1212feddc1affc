/** What a container runs: entrypoint, command, working directory, hostname and stop signal, as docker merges them. */
import { TsrunError } from '../errors.ts'
import { parseSignal, signalName } from '../linux/signals.ts'
import type { ImageProcess } from '../oci/image.ts'
import { refuseNul, refuseOption } from './invalid-option.ts'
import { hasOwnUts } from './namespaces.ts'
import type { SpecOptions } from './spec-input.ts'
import { isForSystemd, SYSTEMD_STOP_SIGNAL } from './systemd-container.ts'

/** Where the first process of --init stands inside the container. */
export const INIT_DESTINATION = '/run/tsrun-init'

/**
 * Entrypoint and then command. A command replaces the image's; an own entrypoint drops the image's
 * command too, which was written for the image's entrypoint.
 */
export function mergeArguments(
  image: ImageProcess | undefined,
  options: SpecOptions,
): readonly string[] {
  const command = options.command ?? []
  const entrypoint = options.entrypoint ?? image?.Entrypoint ?? []
  const imageCommand = options.entrypoint === undefined ? (image?.Cmd ?? []) : []
  const args = [...entrypoint, ...(command.length > 0 ? command : imageCommand)]
  for (const arg of args) refuseNul('argument', arg)
  if (args.length === 0) {
    throw new TsrunError(
      'invalid-argument',
      'cannot run the image: it has no command and none was given',
      {
        hint: 'put a command after the image name',
        exitCode: 125,
      },
    )
  }
  return options.init === true ? [INIT_DESTINATION, '--', ...args] : args
}

/** The absolute directory to start in. */
export function workingDirectory(image: ImageProcess | undefined, options: SpecOptions): string {
  const given = options.workdir
  if (given !== undefined && given !== '') {
    refuseNul('workdir', given)
    return given.startsWith('/')
      ? given
      : refuseOption('workdir', given, 'it must be an absolute path')
  }
  const fromImage = image?.WorkingDir ?? ''
  return fromImage.startsWith('/') ? fromImage : `/${fromImage}`
}

/** The name that `stop` sends first: the user's, systemd's, the image's, or SIGTERM. */
export function stopSignal(image: ImageProcess | undefined, options: StopOptions): string {
  const ofImage = image?.StopSignal === '' ? undefined : image?.StopSignal
  const text = options.stopSignal ?? systemdSignal(image, options) ?? ofImage ?? 'SIGTERM'
  const number = parseSignal(text)
  if (number === undefined || number === 0)
    refuseOption('stop-signal', text, 'there is no such signal')
  return signalName(number)
}

interface StopOptions extends SpecOptions {
  readonly stopSignal?: string | undefined
}

function systemdSignal(image: ImageProcess | undefined, options: SpecOptions): string | undefined {
  if ((options.systemd ?? 'false') === 'false') return undefined
  return isForSystemd(options, mergeArguments(image, options)) ? SYSTEMD_STOP_SIGNAL : undefined
}

/** The given name, the host's where the network is the host's, else the first twelve digits of the id. */
export function containerHostname(
  options: SpecOptions,
  containerId: string,
  hostHostname: string,
): string {
  const given = options.hostname
  if (!hasOwnUts(options)) {
    if (given !== undefined && given !== '')
      refuseOption('hostname', given, 'the names are those of --uts')
    return hostHostname
  }
  if (given === undefined || given === '') {
    return options.network === 'host' ? hostHostname : containerId.slice(0, 12)
  }
  // RFC 1123, and 64 bytes of sethostname(2).
  const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
  if (given.length <= 64 && new RegExp(`^${label}(?:\\.${label})*$`).test(given)) return given
  return refuseOption(
    'hostname',
    given,
    'it must be letters, digits and hyphens, at most 64 in all',
  )
}
