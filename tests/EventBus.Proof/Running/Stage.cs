using System.Diagnostics;

namespace EventBus.Proof;

/// <summary>One run of one proof: its folder, its servers, the processes that it kills, and their journals.</summary>
internal sealed class Stage : IAsyncDisposable
{
    // A supervisor in production restarts a process, and stops doing so after some failures.
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
        Kafka = new PrivateKafka(Path.Combine(Folder, "kafka"));
        Journals = new Journals(Folder);
        Settings = new VictimSettings
        {
            Proof = proof,
            Store = run.Store,
            ClassicQueues = run.Transport == "rabbitmq-classic",
            Channels = run.Transport == "redis-pubsub",
            KafkaGroup = run.Transport.Split('-') is ["kafka", var group] ? group : "cooperative",
            Service = $"proof-{Path.GetFileName(Folder)[^6..].ToLowerInvariant()}",
            Folder = Folder,
            Redis = Redis.Address,
            Seed = run.Seed,
        };
    }

    public RunSettings Run { get; }

    /// <summary>The only source of random numbers.</summary>
    public Random Random { get; }

    public string Folder { get; }

    public PrivateRedis Redis { get; }

    public PrivateRabbitMq RabbitMq { get; }

    public PrivateKafka Kafka { get; }

    /// <summary>The server of the transport of this run.</summary>
    public PrivateBroker Broker => Run.OverRabbitMq ? RabbitMq : Run.OverKafka ? Kafka : Redis;

    public Journals Journals { get; }

    public VictimSettings Settings { get; set; }

    /// <summary>The number of processes that the harness killed.</summary>
    public int Kills { get; private set; }

    /// <summary>The number of times that the broker was killed.</summary>
    public int BrokerKills { get; private set; }

    /// <summary>The number of processes that killed themselves.</summary>
    public int SelfKills { get; private set; }

    public int Freezes { get; private set; }

    /// <summary>The number of processes that ended because their bus could not start in time.</summary>
    public int FailedStarts { get; private set; }

    public int Stalls { get; private set; }

    /// <summary>The times at which processes ended, on the clock of the journals.</summary>
    public List<long> Deaths { get; } = [];

    /// <summary>Starts the broker. Processes that are started later use it.</summary>
    public async Task StartBrokerAsync()
    {
        await Broker.StartAsync();
        Settings = Broker.Direct(Settings, Broker.Port);
    }

    /// <summary>Kills the broker with SIGKILL, and restarts it with the data that it had written.</summary>
    public async Task KillBrokerAsync()
    {
        BrokerKills++;
        await Broker.KillAsync();
        await Broker.StartAsync();
    }

    /// <summary>Starts processes, and waits until each consumes events.</summary>
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
    /// Reads journals, injects the planned faults and replaces ended processes, until a condition is true.
    /// </summary>
    /// <param name="what">The name of the condition.</param>
    /// <param name="faults">The planned faults.</param>
    /// <param name="seen">Called with each new entry.</param>
    /// <param name="done">The condition, checked when no further faults are planned.</param>
    public async Task RunAsync(string what, Queue<Fault> faults, Action<Entry> seen, Func<Task<bool>> done)
    {
        var starts = 0L;
        Journals.Entries.ForEach(Take);
        var heard = Stopwatch.GetTimestamp();
        await Until.TrueAsync(what, Run.Deadline, async () =>
        {
            var entries = Journals.Poll();
            foreach (var entry in entries)
            {
                Take(entry);
            }

            heard = entries.Count > 0 ? Stopwatch.GetTimestamp() : heard;
            ReplaceEndedProcesses();
            if (faults.TryPeek(out var fault) && starts >= fault.After)
            {
                await StrikeAsync(faults.Dequeue());
            }
            else if (entries.Count == 0 && faults.Count == 0 && lasting.TrueForAll(task => task.IsCompleted) && await done())
            {
                return true;
            }

            return Stopwatch.GetElapsedTime(heard) > LongestSilence
                ? throw new ProofException($"Waiting for '{what}' failed: no process was active for {LongestSilence.TotalSeconds:0} s, "
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

    /// <summary>Stops the processes as an operator does, and reads their last entries.</summary>
    public async Task StopVictimsAsync()
    {
        await Task.WhenAll(victims.Select(victim => victim.StopAsync()));
        victims.ForEach(victim => victim.Dispose());
        victims.Clear();
        Journals.Poll();
    }

    /// <summary>Suspends the first process for a time, like a paused virtual machine.</summary>
    public async Task SuspendVictimAsync(TimeSpan time)
    {
        Freezes++;
        victims[0].Freeze();
        await RealTime.PassAsync(time);
        victims[0].Thaw();
    }

    public async ValueTask DisposeAsync()
    {
        victims.ForEach(victim => victim.Dispose());
        await Redis.DisposeAsync();
        await RabbitMq.DisposeAsync();
        await Kafka.DisposeAsync();
    }

    private void ReplaceEndedProcesses()
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

                SelfKills++;
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
