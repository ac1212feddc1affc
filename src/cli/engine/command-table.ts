/** All commands of the engine by name. Help, completions and man pages list what stands here. */
import type { EngineCommand } from './command.ts'

export interface CommandEntry {
  /** A few words for a list of commands. */
  readonly describe: string
  /** Each command's file is loaded only when it is called: starting fast matters more than anything here. */
  readonly load: () => Promise<{ readonly command: EngineCommand }>
  /** Another name of a command, or one that people do not call: not listed. */
  readonly hidden?: true
}

/** Commands behind one word: `tsrun image ls`. */
export interface CommandGroup {
  readonly describe: string
  readonly commands: Readonly<Record<string, CommandEntry>>
}

const CONTAINERS: Readonly<Record<string, CommandEntry>> = {
  run: { describe: 'run a command in a new container', load: () => import('./run.ts') },
  create: { describe: 'make a container without starting it', load: () => import('./create.ts') },
  start: { describe: 'start containers that do not run', load: () => import('./start.ts') },
  exec: { describe: 'run a command in a running container', load: () => import('./exec.ts') },
  attach: { describe: 'connect to a running container', load: () => import('./attach.ts') },
  ps: { describe: 'list containers', load: () => import('./ps.ts') },
  logs: { describe: 'print what a container has written', load: () => import('./logs.ts') },
  inspect: {
    describe: 'show everything about containers, images, volumes',
    load: () => import('./inspect.ts'),
  },
  stats: { describe: 'show what containers use', load: () => import('./stats.ts') },
  top: { describe: 'show the processes of a container', load: () => import('./top.ts') },
  port: {
    describe: 'show where published ports are reached',
    load: () => import('./port.ts'),
  },
  stop: { describe: 'stop running containers', load: () => import('./stop.ts') },
  restart: { describe: 'stop containers and start them again', load: () => import('./restart.ts') },
  kill: { describe: 'send a signal to containers', load: () => import('./kill.ts') },
  pause: { describe: 'freeze the processes of containers', load: () => import('./pause.ts') },
  unpause: { describe: 'let paused containers go on', load: () => import('./unpause.ts') },
  cp: { describe: 'copy files from and to a container', load: () => import('./cp.ts') },
  diff: { describe: 'show what a container has changed', load: () => import('./diff.ts') },
  export: { describe: "write a container's files as a tar", load: () => import('./export.ts') },
  commit: { describe: 'make an image of a container', load: () => import('./commit.ts') },
  update: { describe: 'change the limits of containers', load: () => import('./update.ts') },
  events: { describe: 'show what happens to containers', load: () => import('./events.ts') },
  rename: { describe: 'give a container another name', load: () => import('./rename.ts') },
  wait: { describe: 'wait for containers to end', load: () => import('./wait.ts') },
  rm: { describe: 'remove containers', load: () => import('./rm.ts') },
  explain: {
    describe: 'show the system calls of a run without running it',
    load: () => import('./explain.ts'),
  },
}

const IMAGES: Readonly<Record<string, CommandEntry>> = {
  pull: { describe: 'fetch an image from a registry', load: () => import('./pull.ts') },
  push: { describe: 'send an image to a registry', load: () => import('./push.ts') },
  login: { describe: 'log in to a registry', load: () => import('./login.ts') },
  logout: { describe: 'log out of a registry', load: () => import('./logout.ts') },
  build: { describe: 'make an image from a Dockerfile', load: () => import('./build.ts') },
  images: { describe: 'list images', load: () => import('./images.ts') },
  history: { describe: 'show how an image was made', load: () => import('./history.ts') },
  rmi: { describe: 'remove images', load: () => import('./rmi.ts') },
  tag: { describe: 'give an image another name', load: () => import('./tag.ts') },
  load: { describe: 'read images from an archive', load: () => import('./load.ts') },
  save: { describe: 'write images to an archive', load: () => import('./save.ts') },
  import: { describe: 'make an image from a tar', load: () => import('./import.ts') },
}

const SYSTEM: Readonly<Record<string, CommandEntry>> = {
  version: { describe: 'show the version', load: () => import('./version.ts') },
  unshare: {
    describe: 'run a command with the ids of containers without root',
    load: () => import('./unshare.ts'),
  },
  info: { describe: 'show what tsrun sees of this machine', load: () => import('./info.ts') },
  doctor: {
    describe: 'say what this machine lacks, with remedies',
    load: () => import('./doctor.ts'),
  },
  completion: {
    describe: 'print a script that completes commands in a shell',
    load: () => import('./completion.ts'),
  },
  man: { describe: 'print the manual', load: () => import('./man.ts') },
}

/** The commands of one word, under the headings of `tsrun help`. */
export const SECTIONS: Readonly<Record<string, Readonly<Record<string, CommandEntry>>>> = {
  Containers: CONTAINERS,
  Images: IMAGES,
  System: SYSTEM,
}

/** The commands of two words. */
export const GROUPS: Readonly<Record<string, CommandGroup>> = {
  container: {
    describe: 'commands on containers',
    commands: {
      ls: { describe: 'list containers', load: () => import('./ps.ts') },
      list: { describe: 'list containers', load: () => import('./ps.ts'), hidden: true },
      prune: {
        describe: 'remove containers that do not run',
        load: () => import('./container-prune.ts'),
      },
      ...CONTAINERS,
      inspect: {
        describe: 'show everything about containers',
        load: () => import('./container-inspect.ts'),
      },
    },
  },
  builder: {
    describe: 'commands on builds',
    commands: {
      prune: {
        describe: 'remove what builds have kept',
        load: () => import('./builder-prune.ts'),
      },
      ...pick(IMAGES, { build: 'build' }),
    },
  },
  manifest: {
    describe: 'commands on manifest lists',
    commands: {
      create: { describe: 'make a manifest list', load: () => import('./manifest-create.ts') },
      annotate: {
        describe: 'correct the platform of an image in it',
        load: () => import('./manifest-annotate.ts'),
      },
      inspect: {
        describe: 'show a manifest or index',
        load: () => import('./manifest-inspect.ts'),
      },
      ...pick(IMAGES, { push: 'push', rm: 'rmi' }),
    },
  },
  image: {
    describe: 'commands on images',
    commands: {
      inspect: {
        describe: 'show everything about images',
        load: () => import('./image-inspect.ts'),
      },
      ls: { describe: 'list images', load: () => import('./images.ts') },
      list: { describe: 'list images', load: () => import('./images.ts'), hidden: true },
      prune: {
        describe: 'remove images that nothing needs',
        load: () => import('./image-prune.ts'),
      },
      ...pick(IMAGES, {
        pull: 'pull',
        push: 'push',
        rm: 'rmi',
        load: 'load',
        save: 'save',
        tag: 'tag',
        history: 'history',
        build: 'build',
        import: 'import',
      }),
    },
  },
  healthcheck: {
    describe: 'commands on the health of containers',
    commands: {
      run: {
        describe: 'check the health of a container now',
        load: () => import('./healthcheck.ts'),
      },
    },
  },
  system: {
    describe: 'commands on the store and the machine',
    commands: {
      check: {
        describe: 'verify the store and repair it',
        load: () => import('./system-check.ts'),
      },
      df: { describe: 'show what takes space', load: () => import('./system-df.ts') },
      prune: { describe: 'remove what nobody uses', load: () => import('./system-prune.ts') },
      reset: { describe: 'remove everything', load: () => import('./system-reset.ts') },
      ...pick(SYSTEM, { info: 'info' }),
    },
  },
  network: {
    describe: 'commands on networks',
    commands: {
      create: { describe: 'make a network', load: () => import('./network/create.ts') },
      ls: { describe: 'list networks', load: () => import('./network/ls.ts') },
      list: { describe: 'list networks', load: () => import('./network/ls.ts'), hidden: true },
      inspect: {
        describe: 'show everything about networks',
        load: () => import('./network/inspect.ts'),
      },
      connect: {
        describe: 'put a container into a network',
        load: () => import('./network/connect.ts'),
      },
      disconnect: {
        describe: 'take a container out of a network',
        load: () => import('./network/disconnect.ts'),
      },
      rm: { describe: 'remove networks', load: () => import('./network/rm.ts') },
      remove: { describe: 'remove networks', load: () => import('./network/rm.ts'), hidden: true },
      prune: {
        describe: 'remove networks that no container uses',
        load: () => import('./network/prune.ts'),
      },
    },
  },
  secret: {
    describe: 'commands on secrets',
    commands: {
      create: {
        describe: 'keep a secret for containers',
        load: () => import('./secret/create.ts'),
      },
      ls: { describe: 'list secrets', load: () => import('./secret/ls.ts') },
      list: { describe: 'list secrets', load: () => import('./secret/ls.ts'), hidden: true },
      inspect: {
        describe: 'show everything about secrets but what they are',
        load: () => import('./secret/inspect.ts'),
      },
      exists: {
        describe: 'tell by the exit code whether there is a secret',
        load: () => import('./secret/exists.ts'),
      },
      rm: { describe: 'remove secrets', load: () => import('./secret/rm.ts') },
      remove: { describe: 'remove secrets', load: () => import('./secret/rm.ts'), hidden: true },
    },
  },
  volume: {
    describe: 'commands on volumes',
    commands: {
      create: { describe: 'make a volume', load: () => import('./volume/create.ts') },
      ls: { describe: 'list volumes', load: () => import('./volume/ls.ts') },
      list: { describe: 'list volumes', load: () => import('./volume/ls.ts'), hidden: true },
      inspect: {
        describe: 'show everything about volumes',
        load: () => import('./volume/inspect.ts'),
      },
      exists: {
        describe: 'tell by the exit code whether there is a volume',
        load: () => import('./volume/exists.ts'),
      },
      export: {
        describe: 'write the files of a volume as a tar',
        load: () => import('./volume/export.ts'),
      },
      import: {
        describe: 'unpack a tar into a volume',
        load: () => import('./volume/import.ts'),
      },
      rm: { describe: 'remove volumes', load: () => import('./volume/rm.ts') },
      remove: { describe: 'remove volumes', load: () => import('./volume/rm.ts'), hidden: true },
      prune: {
        describe: 'remove volumes that no container uses',
        load: () => import('./volume/prune.ts'),
      },
    },
  },
}

/** What tsrun calls itself. */
export const INTERNAL: Readonly<Record<string, CommandEntry>> = {
  'internal-names': { describe: '', load: () => import('./internal-names.ts'), hidden: true },
  'internal-cleanup': { describe: '', load: () => import('./cleanup.ts'), hidden: true },
}

/** Some of `commands` under other names: `{ rm: 'rmi' }`. */
function pick(
  commands: Readonly<Record<string, CommandEntry>>,
  names: Readonly<Record<string, string>>,
): Record<string, CommandEntry> {
  const picked: Record<string, CommandEntry> = {}
  for (const [name, own] of Object.entries(names)) {
    const entry = commands[own]
    if (entry !== undefined) picked[name] = entry
  }
  return picked
}
