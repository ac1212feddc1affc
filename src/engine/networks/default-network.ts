/** Where a container of the command line is when nobody says so. */
import { DEFAULT_NETWORK } from '../../network/network-option.ts'
import { isHostRoot } from '../../util/host-user.ts'

/**
 * A value for `--network`: docker's default network, or the one that TSRUN_NETWORK names. Whoever is not root
 * of the host can make no bridge there: ports are refused then, not left out.
 */
export function defaultNetwork(
  wantsPorts: boolean,
  env: NodeJS.ProcessEnv,
  isRoot = isHostRoot(),
): string {
  const { TSRUN_NETWORK = '' } = env
  if (TSRUN_NETWORK !== '' && !wantsPorts) return TSRUN_NETWORK
  return isRoot || wantsPorts ? DEFAULT_NETWORK : 'none'
}
