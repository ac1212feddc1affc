/** Where a container of the command line is when nobody says so. */

import { ownsNetwork } from '../../native/owns-network.ts'
import { DEFAULT_NETWORK } from '../../network/network-option.ts'
import { canUseUserMode } from './find-user-mode.ts'

/** What decides. */
export interface DefaultNetworkFacts {
  /** Whether bridges can be made: root's. */
  readonly makesBridges: boolean
  /** Whether pasta or slirp4netns can be used. */
  readonly hasUserMode: boolean
}

/**
 * A value for `--network`: docker's default network, or the one that TSRUN_NETWORK names. Whoever can make no bridge
 * has pasta or slirp4netns instead, or none; ports are refused then, not left out.
 */
export function defaultNetwork(
  wantsPorts: boolean,
  env: NodeJS.ProcessEnv,
  facts: DefaultNetworkFacts = {
    makesBridges: ownsNetwork(),
    hasUserMode: canUseUserMode(),
  },
): string {
  const { TSRUN_NETWORK = '' } = env
  if (TSRUN_NETWORK !== '' && !wantsPorts) return TSRUN_NETWORK
  if (facts.makesBridges) return DEFAULT_NETWORK
  return wantsPorts || facts.hasUserMode ? 'default' : 'none'
}
