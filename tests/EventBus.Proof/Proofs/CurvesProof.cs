using System.Diagnostics;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus.Proof;

/// <summary>
/// Proves that the cost of a store does not depend on its size: compares ten with a hundred thousand dead letters, and
/// a thousand with a million handled events, measured alternately.
/// </summary>
internal sealed class CurvesProof : Proof
{
    private const string Subscription = "keeper";
    private const string EventName = "curve.drawn";
    private const double MostRatio = 1.5;

    // In memory, an operation takes about a microsecond, and some more when the tables exceed the caches of the
    // processor. A scan of all entries takes more than this difference, in microseconds.
    private const double CacheMisses = 5;
    private const int Writers = 64;
    private const int Recent = 1_000;

    public override string Name => "curves";

    public override IReadOnlyList<string> Stores => ["memory", "sqlite", "redis"];

    public override bool RunsAlone => true;

    public override async Task RunAsync(Stage stage, Findings findings)
    {
        await stage.Redis.StartAsync();
        // An operation of a microsecond is repeated more often in a batch than one of a thousand.
        var batch = stage.Run.Store == "memory" ? 1_000 : 20;
        var (rounds, smallDead, largeDead, smallDone, largeDone) = (
            stage.Run.Size(101, 21),
            10,
            stage.Run.Size(100_000, 10_000),
            1_000,
            stage.Run.Size(1_000_000, 50_000));
        await using var small = await OpenAsync(stage, "small");
        await using var large = await OpenAsync(stage, "large");
        await small.FillDeadAsync(smallDead);
        await large.FillDeadAsync(largeDead);
        await CompareAsync(
            $"claim, {smallDead:N0} and {largeDead:N0} dead",
            findings,
            (rounds, batch),
            small,
            large,
            side => side.ClaimAndRecordAsync());
        await CompareAsync(
            $"list, {smallDead:N0} and {largeDead:N0} dead",
            findings,
            (rounds, batch),
            small,
            large,
            side => side.ListAsync());
        await small.FillDoneAsync(smallDone, stage.Random);
        await large.FillDoneAsync(largeDone, stage.Random);
        await CompareAsync(
            $"handle new, {smallDone:N0} and {largeDone:N0} done",
            findings,
            (rounds, batch),
            small,
            large,
            side => side.HandleNewAsync());
        await CompareAsync(
            $"recognise a copy, {smallDone:N0} and {largeDone:N0} done",
            findings,
            (rounds, batch),
            small,
            large,
            side => side.RecogniseAsync());
    }

    private static async Task<Side> OpenAsync(Stage stage, string name)
    {
        var folder = Path.Combine(stage.Folder, name);
        Directory.CreateDirectory(folder);
        return new Side(await StoreProbe.OpenAsync(stage.Settings with { Service = name, Folder = folder }));
    }

    /// <summary>Measures both stores alternately, so that other load of the machine affects both.</summary>
    private static async Task CompareAsync(
        string what,
        Findings findings,
        (int Rounds, int Batch) size,
        Side small,
        Side large,
        Func<Side, Task> step)
    {
        for (var i = 0; i < size.Batch; i++)
        {
            await step(small);
            await step(large);
        }

        var (fast, slow, ratios) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < size.Rounds; round++)
        {
            var first = await MeasureAsync(round % 2 == 0 ? small : large);
            var second = await MeasureAsync(round % 2 == 0 ? large : small);
            var (few, many) = round % 2 == 0 ? (first, second) : (second, first);
            fast.Add(few);
            slow.Add(many);
            ratios.Add(many / few);
        }

        findings.Demand(
            Median(ratios) <= MostRatio || Median(slow) - Median(fast) <= CacheMisses,
            what,
            $"{Median(fast):0.0} and {Median(slow):0.0} us, ratio {Median(ratios):0.00}, "
                + $"at most {MostRatio:0.00} or {CacheMisses:0} us more");

        async Task<double> MeasureAsync(Side side)
        {
            var begun = Stopwatch.GetTimestamp();
            for (var i = 0; i < size.Batch; i++)
            {
                await step(side);
            }

            return Stopwatch.GetElapsedTime(begun).TotalMicroseconds / size.Batch;
        }
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    /// <summary>One of the two compared stores.</summary>
    private sealed class Side(StoreProbe probe) : IAsyncDisposable
    {
        private static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);
        private static readonly TimeSpan Retention = TimeSpan.FromDays(7);

        private readonly List<string> done = [];
        private Random random = new(0);
        private FailedEvent? waiting;
        private long next;

        public async Task FillDeadAsync(int count)
        {
            await SpreadAsync(
                count,
                async number => await probe.Failures.RecordAsync(Failed(number, FailedEventStatus.Dead), CancellationToken.None));
            waiting = Failed(count, FailedEventStatus.Waiting);
            await probe.Failures.RecordAsync(waiting, CancellationToken.None);
        }

        public async Task FillDoneAsync(int count, Random chance)
        {
            random = new Random(chance.Next());
            var ids = Enumerable.Range(0, count).Select(_ => NewId()).ToList();
            await SpreadAsync(count, number => HandleAsync(ids[number]));
            done.AddRange(ids);
        }

        /// <summary>Measures a retry: claims it, and records it again as failed.</summary>
        public async Task ClaimAndRecordAsync()
        {
            var claimed = await probe.Failures.ClaimDueAsync(
                [Subscription],
                TimeProvider.System.GetUtcNow(),
                Lease,
                16,
                CancellationToken.None);
            if (claimed.Entries is not [var entry] || entry.Id != waiting!.Id)
            {
                throw new ProofException($"{claimed.Entries.Count} entries were claimed instead of one.");
            }

            await probe.Failures.RecordAsync(
                entry with { Status = FailedEventStatus.Waiting, DueAt = DateTimeOffset.UnixEpoch },
                CancellationToken.None);
        }

        /// <summary>Measures the listing of a page of dead letters.</summary>
        public async Task ListAsync()
        {
            if (await probe.Failures.DeadLetters.ListAsync(new DeadLetterFilter { Take = 10 }, CancellationToken.None) is not { Count: 10 })
            {
                throw new ProofException("Not all dead letters were listed.");
            }
        }

        /// <summary>Measures a new event: claims it, and marks it as handled.</summary>
        public Task HandleNewAsync() => HandleAsync(NewId());

        /// <summary>Measures a copy of a recent event.</summary>
        public async Task RecogniseAsync()
        {
            var claim = await ClaimAsync(done[^random.Next(1, Math.Min(done.Count, Recent))]);
            if (claim.State != ProcessedState.Done)
            {
                throw new ProofException("A handled event was not recognised.");
            }
        }

        public ValueTask DisposeAsync() => probe.DisposeAsync();

        private static FailedEvent Failed(int number, FailedEventStatus status) => new()
        {
            Subscription = Subscription,
            Envelope = new Envelope(
                new EnvelopeAttributes { Id = Numbers.ToId(number), Name = EventName, Time = DateTimeOffset.UnixEpoch },
                "{}"u8.ToArray()),
            Status = status,
            Attempts = 1,
            DueAt = DateTimeOffset.UnixEpoch,
            FirstFailedAt = DateTimeOffset.UnixEpoch,
            LastFailedAt = DateTimeOffset.UnixEpoch,
            Error = "It failed.",
        };

        private static async Task SpreadAsync(int count, Func<int, Task> write)
        {
            var number = -1;
            await Task.WhenAll(Enumerable.Range(0, Writers).Select(async _ =>
            {
                // Some stores answer synchronously, and would occupy this thread.
                await Task.Yield();
                while (Interlocked.Increment(ref number) is var own && own < count)
                {
                    await write(own);
                }
            }));
        }

        private async Task HandleAsync(string id)
        {
            var claim = await ClaimAsync(id);
            if (claim.State != ProcessedState.New || !await probe.Processed.CompleteAsync(
                new ProcessedKey(Subscription, id),
                claim.FencingToken,
                new Completion([], [], TimeProvider.System.GetUtcNow() + Retention),
                CancellationToken.None))
            {
                throw new ProofException("A new event could not be marked as handled.");
            }
        }

        private ValueTask<ProcessedClaim> ClaimAsync(string id) =>
            probe.Processed.ClaimAsync(
                new ProcessedKey(Subscription, id),
                1,
                TimeProvider.System.GetUtcNow(),
                Lease,
                CancellationToken.None);

        /// <summary>
        /// Returns an id like those of the bus: ordered by time at the beginning and random at the end.
        /// </summary>
        private string NewId() => $"{next++:x12}-{random.NextInt64():x16}";
    }
}
