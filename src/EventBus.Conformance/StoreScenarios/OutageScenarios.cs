using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests an outage of the stores: writes end with an error in time, and nothing is lost.</summary>
internal static class OutageScenarios
{
    private static readonly ProcessedKey Held = new("mail", "held");

    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "store-down",
            "While the stores are down every write ends with an error in time, and afterwards everything continues with the kept "
                + "entries, so that an outage costs time and no event.",
            DownAsync,
            exclusive: true)
        {
            SkipUnless = StoreRule.CanBreak,
        },
    ];

    private static async Task DownAsync(StoreRun run)
    {
        ProcessedClaim processed = default;
        SagaEntry? saga = null;
        if (run.Stores.Failures is KeyedFailureStore)
        {
            await run.RecordAsync(run.Waiting("1"), run.Dead("2"));
        }

        if (run.Stores.Processed is not null)
        {
            processed = await run.Processed.ClaimAsync(Held, 0, run.Now, StoreRun.Lease, default);
        }

        if (run.Stores.Sagas is not null)
        {
            await run.Sagas.CreateAsync(run.Saga("1"), default);
            var created = (await run.Sagas.FindAsync("1", default))!;
            saga = created with { Claim = 7 };
        }

        await run.Backend.BreakAsync(run.Isolation, default);
        try
        {
            await ExpectErrorAsync(run.Stores.Failures, store => store.RecordAsync(run.Dead("3"), default).AsTask());
            await ExpectErrorAsync(
                run.Stores.Processed,
                store => store.CompleteAsync(Held, processed.FencingToken, new Completion([], [], run.In(3_600)), default).AsTask());
            await ExpectErrorAsync(run.Stores.Delays, store => store.AddAsync(Sample.Event("1"), run.Now, default).AsTask());
            await ExpectErrorAsync(run.Stores.Sagas, store => store.SaveAsync(saga!, default).AsTask());
        }
        finally
        {
            await run.Backend.RepairAsync(run.Isolation, default);
        }

        await ContinueAsync(run, processed, saga);
    }

    /// <summary>
    /// Continues after the outage. The store may have executed the failed writes: like the bus, the scenario repeats
    /// them.
    /// </summary>
    private static async Task ContinueAsync(StoreRun run, ProcessedClaim processed, SagaEntry? saga)
    {
        if (run.Stores.Failures is KeyedFailureStore)
        {
            await RepeatAsync(() => run.Failures.RecordAsync(run.Dead("3"), default).AsTask());
            await run.ExpectDeadAsync(["3", "2"], "after the outage");
            await run.ClaimOneAsync("1");
        }

        if (run.Stores.Processed is not null)
        {
            var completed = false;
            await RepeatAsync(async () => completed = await run.Processed.CompleteAsync(
                Held,
                processed.FencingToken,
                new Completion([], [], run.In(3_600)),
                default));
            Expect.That(completed, "a claim from before the outage is completed");
        }

        if (run.Stores.Delays is not null)
        {
            await RepeatAsync(() => run.Delays.AddAsync(Sample.Event("1"), run.Now, default).AsTask());
            Expect.Equal(1, await run.Delays.CountAsync(default), "the number of delayed events");
        }

        if (run.Stores.Sagas is not null)
        {
            await RepeatAsync(() => run.Sagas.SaveAsync(saga!, default).AsTask());
            var saved = await run.Sagas.FindAsync("1", default);
            Expect.Equal((2, 7), (saved?.Version, saved?.Claim), "version and claim of a saga that was saved");
        }
    }

    private static async Task ExpectErrorAsync<T>(T? store, Func<T, Task> write)
        where T : class
    {
        if (store is not null)
        {
            await Expect.ThrowsAsync<Exception>(() => write(store), $"a write to a {typeof(T).Name} that is down ends with an error");
        }
    }

    /// <summary>Repeats a write until it succeeds, like the bus: a client may need some time to reconnect.</summary>
    private static async Task RepeatAsync(Func<Task> write)
    {
        using var deadline = new CancellationTokenSource(Expect.DefaultTimeout, TimeProvider.System);
        while (true)
        {
            try
            {
                await Expect.WithinAsync(write(), "a write after the outage ends");
                return;
            }
            catch (Exception exception) when (exception is not ConformanceException && !deadline.IsCancellationRequested)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, deadline.Token);
            }
        }
    }
}
