using EventBus.Stores;
using Microsoft.Extensions.Hosting;

namespace EventBus.Sagas;

public sealed partial class SagaCrashTests
{
    [Fact]
    public async Task Owner_SuspendedBeyondItsLease_ChangesNothingWhenItResumes()
    {
        var (suspended, resume) = (new TaskCompletionSource(), new TaskCompletionSource());
        script.Doing = async (run, _, _) =>
        {
            if (run == "+hotel" && suspended.TrySetResult())
            {
                await resume.Task;
            }
        };
        var paused = new CrashingSagaStore(store, int.MaxValue, after: false);
        await using var first = await SagaInstance.StartAsync(paused, script, time);
        await first.Sagas.StartAsync(new Trip("ada"), "trip-1", Token);
        await suspended.Task.WaitAsync(RunningBus.Patience, Token);
        var release = paused.Pause();
        await using var second = await SagaInstance.StartAsync(store, script, time);
        await second.WaitAsync("trip-1");
        var ended = (await store.FindAsync("trip-1", Token))!;

        resume.SetResult();
        release();
        await Until.TrueAsync(
            "the first instance notices that the saga was taken over",
            () => first.Log.At(Microsoft.Extensions.Logging.LogLevel.Warning)
                .Any(text => text.Contains("taken over", StringComparison.Ordinal)),
            Token);

        Assert.Equal(ended, await store.FindAsync("trip-1", Token));
        Assert.Equal(["+flight", "+hotel", "+hotel", "+payment"], script.Calls);
    }

    [Fact]
    public async Task Stop_BetweenTwoSteps_ReleasesTheSagaAtOnceWithoutAnAttempt()
    {
        var (inStep, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        script.Doing = async (run, _, _) =>
        {
            if (run == "+flight" && inStep.TrySetResult())
            {
                await go.Task;
            }
        };
        var first = await SagaInstance.StartAsync(store, script, time);
        await first.Sagas.StartAsync(new Trip("ada"), "trip-1", Token);
        await inStep.Task.WaitAsync(RunningBus.Patience, Token);
        var stopping = first.StopAsync();
        go.SetResult();
        await stopping;
        await using var second = await SagaInstance.StartAsync(store, script, time);
        var result = await second.Sagas.WaitAsync<Trip>("trip-1", Token).WaitAsync(RunningBus.Patience, Token);

        Assert.Equal(["+flight", "+hotel", "+payment"], script.Calls);
        Assert.All((await second.Sagas.FindAsync("trip-1", Token))!.Steps, step => Assert.Equal(0, step.Interruptions));
        Assert.True(result.IsCompleted);
        await first.DisposeAsync();
    }

    [Fact]
    public async Task Stop_InALongStep_ReleasesItAtOnceWithoutAnAttempt()
    {
        var inStep = new TaskCompletionSource();
        script.Doing = (run, _, ct) => run == "+hotel" && inStep.TrySetResult()
            ? Task.Delay(Timeout.InfiniteTimeSpan, ct)
            : Task.CompletedTask;
        await using var first = await SagaInstance.StartAsync(store, script, time);
        await first.Sagas.StartAsync(new Trip("ada"), "trip-1", Token);
        await inStep.Task.WaitAsync(RunningBus.Patience, Token);

        // The stop has no time left and cancels the token of the step. The fake time does not pass, so that the time
        // that remains for the last write does not elapse.
        await first.StopAsync(new CancellationToken(canceled: true)).WaitAsync(RunningBus.Patience, Token);
        await using var second = await SagaInstance.StartAsync(store, script, null);

        Assert.True((await second.Sagas.WaitAsync<Trip>("trip-1", Token).WaitAsync(RunningBus.Patience, Token)).IsCompleted);
        Assert.All((await second.Sagas.FindAsync("trip-1", Token))!.Steps, step => Assert.Equal(0, step.Interruptions));
    }

    [Fact]
    public async Task Step_LongerThanTheLease_KeepsTheLease()
    {
        var (inStep, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        script.Doing = async (run, _, _) =>
        {
            if (run == "+hotel")
            {
                inStep.TrySetResult();
                await go.Task;
            }
        };
        await using var first = await SagaInstance.StartAsync(store, script, time);
        await first.Sagas.StartAsync(new Trip("ada"), "trip-1", Token);
        await inStep.Task.WaitAsync(RunningBus.Patience, Token);
        await using var second = await SagaInstance.StartAsync(store, script, time);
        var leased = (await store.FindAsync("trip-1", Token))!.DueAt;

        // Longer than a lease of 30 s, and shorter than the timeout of a step. Time passes in small steps, so that a
        // renewal that has begun can also end.
        await time.AdvanceUntilAsync(
            TimeSpan.FromMilliseconds(10),
            () => "The lease is renewed.",
            async () => (await store.FindAsync("trip-1", Token))!.DueAt >= leased + TimeSpan.FromSeconds(45),
            Token);

        go.SetResult();
        Assert.True((await first.Sagas.WaitAsync<Trip>("trip-1", Token).WaitAsync(RunningBus.Patience, Token)).IsCompleted);
        Assert.Equal(["+flight", "+hotel", "+payment"], script.Calls);
    }

    [Fact]
    public async Task Lease_WithLessThanTwoThirdsLeft_IsRenewed()
    {
        var now = time.GetUtcNow();
        var (services, lease) = (TestServices.Create(time), TimeSpan.FromSeconds(30));
        var renewer = new SagaLeaseRenewer(
            new SagaRepository(store, new SagaRefusals(store, services, CancellationToken.None), lease, services, CancellationToken.None),
            lease,
            services);
        var progress = new SagaProgress { Held = true };
        var entry = new SagaEntry
        {
            Id = "trip-1",
            Saga = "book-trip",
            Status = SagaStatus.Running,
            StartedAt = now,
            ChangedAt = now,
            Content = progress.Write()
        };
        Assert.True(await store.CreateAsync(entry, Token));

        // At the check after ten seconds 16 s remain; at the following check only 6 would remain.
        var hold = new LeasedSaga(null!, entry with { Version = 1 }, progress, now.AddSeconds(26));
        renewer.Hold(hold);
        using var stop = new CancellationTokenSource();
        var renewing = renewer.RunAsync(stop.Token);
        time.Advance(TimeSpan.FromSeconds(10));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => renewing.WaitAsync(RunningBus.Patience, Token));

        Assert.Equal(now.AddSeconds(40), (await store.FindAsync("trip-1", Token))!.DueAt);
    }

    [Fact]
    public async Task Writes_OfEightWritersAtOnce_LoseNothing()
    {
        var services = TestServices.Create(time);
        var repository = new SagaRepository(
            store,
            new SagaRefusals(store, services, CancellationToken.None),
            TimeSpan.FromSeconds(30),
            services,
            CancellationToken.None);
        await store.CreateAsync(new SagaEntry
        {
            Id = "s",
            Saga = "x",
            Status = SagaStatus.Running,
            StartedAt = default,
            ChangedAt = default,
            Content = new byte[1]
        }, Token);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(
            async () =>
            {
                for (var i = 0; i < 500; i++)
                {
                    await repository.ChangeAsync("s", entry => entry with { Claim = entry.Claim + 1 }, Token);
                }
            },
            Token)));

        var entry = (await store.FindAsync("s", Token))!;
        Assert.Equal((4_000, 4_001), (entry.Claim, entry.Version));
    }
}
