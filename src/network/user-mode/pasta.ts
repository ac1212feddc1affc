/** pasta(1), of the package passt: the container has the host's addresses, and its ports are pasta's sockets. */
import { TsrunError } from '../../errors.ts'
import type { PortMapping } from '../network-record.ts'
import type { UserModeCommand, UserModeProgram } from './user-mode-program.ts'

export const PASTA: UserModeProgram = {
  name: 'pasta',
  package: 'passt',
  protocols: ['tcp', 'udp'],
  publishesV6: true,
  command,
}

/** Link-local, so nobody's on any network; podman's choice, too. */
const NAME_SERVER = '169.254.1.1'

/** What decides about the process itself, which tsrun starts and ends. */
const OURS = [
  ...['-f', '--foreground', '-P', '--pid', '--netns', '--userns', '--netns-only'],
  ...['--no-netns-quit', '--config-net', '--runas', '-h', '--help', '--version'],
]

function command(options: readonly string[], ports: readonly PortMapping[]): UserModeCommand {
  for (const option of options) refuseOurs(option)
  const has = (...names: string[]): boolean =>
    options.some((option) => names.includes(option.replace(/=.*/s, '')))
  const unlessGiven = (names: readonly string[], args: readonly string[]): readonly string[] =>
    has(...names) ? [] : args
  const given = optionValue(options, '--dns-forward')
  const reachesHost = has('--map-gw')
  return {
    args: [
      ...['--foreground', '--quiet', '--config-net', '--no-netns-quit'],
      // --stderr only beside the system log, which old versions write to at any rate.
      ...['--stderr', '--pid', '/proc/self/fd/1', '--netns', '/proc/self/fd/0'],
      ...unlessGiven(['-I', '--ns-ifname'], ['--ns-ifname', 'eth0']),
      ...unlessGiven(['--dns-forward'], ['--dns-forward', NAME_SERVER]),
      ...(reachesHost ? [] : ['--no-map-gw']),
      ...portOptions('-t', ports, 'tcp', has('-t', '--tcp-ports')),
      ...portOptions('-u', ports, 'udp', has('-u', '--udp-ports')),
      // By default what listens on the host's loopback interface would listen in the container.
      ...unlessGiven(['-T', '--tcp-ns'], ['-T', 'none']),
      ...unlessGiven(['-U', '--udp-ns'], ['-U', 'none']),
      // podman's word for the lack of --no-map-gw.
      ...options.filter((option) => option !== '--map-gw'),
    ],
    readyOn: 1,
    nameServer: given ?? NAME_SERVER,
    reachesHost,
  }
}

function portOptions(
  flag: '-t' | '-u',
  ports: readonly PortMapping[],
  protocol: PortMapping['protocol'],
  isGiven: boolean,
): readonly string[] {
  const texts = ports
    .filter((port) => port.protocol === protocol)
    .map(({ hostIp, hostPort, containerPort }) => {
      const at = hostIp === '' ? '' : `${hostIp}/`
      return `${at}${hostPort}:${containerPort}`
    })
  if (texts.length === 0) return isGiven ? [] : [flag, 'none']
  return texts.flatMap((text) => [flag, text])
}

function refuseOurs(option: string): void {
  if (!OURS.includes(option.replace(/=.*/s, ''))) return
  throw new TsrunError(
    'invalid-argument',
    `cannot give pasta the option "${option}": tsrun starts and ends it`,
  )
}

/** `--name,value` or `--name=value`. */
function optionValue(options: readonly string[], name: string): string | undefined {
  const at = options.findIndex((option) => option === name || option.startsWith(`${name}=`))
  const option = options[at]
  if (option === undefined) return undefined
  return option === name ? options[at + 1] : option.slice(name.length + 1)
}
