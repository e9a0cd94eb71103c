using System.Diagnostics;

namespace EventBus.Proof;

/// <summary>
/// One run of one proof: its folder, its servers, the processes that it kills, and what they wrote down.
/// </summary>
internal sealed class Stage : IAsyncDisposable
{
    // What supervises a process in life starts it again, and gives up some time.
    private const int MostFailedStarts = 10;

    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan FaultTime = TimeSpan.FromSeconds(2.5);

    private readonly List<VictimProcess> victims = [];
    private readonly List<Task> lasting = [];

    public Stage(string proof, RunSettings run)
    {
        Run = run;
        Random = new Random(run.Seed);
        Folder = Directory.CreateTempSubdirectory("eventbus-proof-").FullName;
        Redis = new PrivateRedis(Path.Combine(Folder, "redis"));
        RabbitMq = new PrivateRabbitMq(Path.Combine(Folder, "rabbitmq"));
        Journals = new Journals(Folder);
        Settings = new VictimSettings
        {
            Proof = proof,
            Store = run.Store,
            ClassicQueues = run.Transport == "rabbitmq-classic",
            Channels = run.Transport == "redis-pubsub",
            Service = $"proof-{Path.GetFileName(Folder)[^6..].ToLowerInvariant()}",
            Folder = Folder,
            Redis = Redis.Address,
            Seed = run.Seed,
        };
    }

    public RunSettings Run { get; }

    /// <summary>The only source of chance.</summary>
    public Random Random { get; }

    public string Folder { get; }

    public PrivateRedis Redis { get; }

    public PrivateRabbitMq RabbitMq { get; }

    /// <summary>The server of the transport of this run.</summary>
    public PrivateBroker Broker => Run.OverRabbitMq ? RabbitMq : Redis;

    public Journals Journals { get; }

    public VictimSettings Settings { get; set; }

    /// <summary>SIGKILLs from outside.</summary>
    public int Kills { get; private set; }

    /// <summary>SIGKILLs of the broker.</summary>
    public int BrokerKills { get; private set; }

    /// <summary>Processes that killed themselves.</summary>
    public int Suicides { get; private set; }

    public int Freezes { get; private set; }

    /// <summary>Processes that ended because their bus could not start in time.</summary>
    public int FailedStarts { get; private set; }

    public int Stalls { get; private set; }

    /// <summary>When processes died, on the clock of the journals.</summary>
    public List<long> Deaths { get; } = [];

    /// <summary>Starts the broker. Processes that are started later use it.</summary>
    public async Task StartBrokerAsync()
    {
        await Broker.StartAsync();
        Settings = Broker.Direct(Settings, Broker.Port);
    }

    /// <summary>SIGKILL of the broker, and its start on what it had written.</summary>
    public async Task KillBrokerAsync()
    {
        BrokerKills++;
        await Broker.KillAsync();
        await Broker.StartAsync();
    }

    /// <summary>Starts processes and waits until each takes events.</summary>
    public async Task StartVictimsAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            victims.Add(VictimProcess.Start(Settings));
        }

        await Until.TrueAsync($"The start of {count} processes", LongestSilence, () =>
        {
            Journals.Poll();
            return victims.Exists(victim => victim.HasExited)
                ? throw new ProofException(
                    $"A process ended at its start with the exit code {victims.First(victim => victim.HasExited).ExitCode}.")
                : Task.FromResult(Journals.Entries.Count(entry => entry.Kind == Kind.Ready) >= count);
        });
    }

    /// <summary>
    /// Reads journals, strikes with the planned faults and replaces the dead, until everything has happened that must.
    /// </summary>
    /// <param name="what">What must happen.</param>
    /// <param name="faults">The plan.</param>
    /// <param name="seen">Called with each new entry.</param>
    /// <param name="done">Called when no further faults are planned.</param>
    public async Task RunAsync(string what, Queue<Fault> faults, Action<Entry> seen, Func<Task<bool>> done)
    {
        var starts = 0L;
        Journals.Entries.ForEach(Take);
        var heard = Stopwatch.GetTimestamp();
        await Until.TrueAsync(what, Run.Deadline, async () =>
        {
            var news = Journals.Poll();
            foreach (var entry in news)
            {
                Take(entry);
            }

            heard = news.Count > 0 ? Stopwatch.GetTimestamp() : heard;
            ReplaceTheDead();
            if (faults.TryPeek(out var fault) && starts >= fault.After)
            {
                await StrikeAsync(faults.Dequeue());
            }
            else if (news.Count == 0 && faults.Count == 0 && lasting.TrueForAll(task => task.IsCompleted) && await done())
            {
                return true;
            }

            return Stopwatch.GetElapsedTime(heard) > LongestSilence
                ? throw new ProofException($"{what} did not happen: no process has done anything for {LongestSilence.TotalSeconds:0} s, "
                    + $"{faults.Count} faults were still planned.")
                : false;
        });
        await Task.WhenAll(lasting);

        void Take(Entry entry)
        {
            starts += entry.Kind == Kind.Start ? 1 : 0;
            seen(entry);
        }
    }

    /// <summary>Stops the processes as an operator does, and reads what they wrote last.</summary>
    public async Task StopVictimsAsync()
    {
        await Task.WhenAll(victims.Select(victim => victim.StopAsync()));
        victims.ForEach(victim => victim.Dispose());
        victims.Clear();
        Journals.Poll();
    }

    public async ValueTask DisposeAsync()
    {
        victims.ForEach(victim => victim.Dispose());
        await Redis.DisposeAsync();
        await RabbitMq.DisposeAsync();
    }

    private void ReplaceTheDead()
    {
        for (var i = 0; i < victims.Count; i++)
        {
            if (victims[i].HasExited)
            {
                if (victims[i].ExitCode == VictimProcess.CouldNotStart && FailedStarts < MostFailedStarts)
                {
                    FailedStarts++;
                    Replace(i);
                    continue;
                }

                if (!victims[i].EndedAsPlanned)
                {
                    throw new ProofException($"The process {victims[i].Id} ended with the exit code {victims[i].ExitCode}.");
                }

                Suicides++;
                Replace(i);
            }
        }
    }

    private void Replace(int index)
    {
        Deaths.Add(Stopwatch.GetTimestamp());
        Journals.Retire(victims[index].Id);
        victims[index].Dispose();
        victims[index] = VictimProcess.Start(Settings);
    }

    private async Task StrikeAsync(Fault fault)
    {
        var index = fault.Choice % victims.Count;
        switch (fault.Kind)
        {
            case FaultKind.Kill:
                Kills++;
                await victims[index].KillAsync();
                Replace(index);
                break;
            case FaultKind.Freeze:
                Freezes++;
                lasting.Add(FreezeAsync(victims[index]));
                break;
            default:
                Stalls++;
                lasting.Add(Run.Store == "sqlite" ? Database.HoldAsync(Settings.DatabaseConnection, FaultTime) : StallRedisAsync());
                break;
        }
    }

    private async Task FreezeAsync(VictimProcess victim)
    {
        victim.Freeze();
        await RealTime.PassAsync(FaultTime);
        if (!victim.HasExited)
        {
            victim.Thaw();
        }
    }

    private async Task StallRedisAsync()
    {
        Redis.Freeze();
        await RealTime.PassAsync(FaultTime);
        Redis.Thaw();
    }
}
