using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;

namespace EventBus.Sagas;

/// <summary>
/// Shows that another instance resumes a saga after a crash at any write. The services of the steps ignore a repeated
/// idempotency key.
/// </summary>
public sealed partial class SagaCrashTests
{
    private readonly FakeTimeProvider time = new();
    private readonly InMemorySagaStore store = new(1_000);
    private readonly Script script = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Crash_AtEveryWriteOfASagaThatSucceeds_EndsCompletedWithEveryEffectOnce(bool afterTheWrite)
    {
        var writes = 0;
        for (var crashAt = 1; await CrashAsync(crashAt, afterTheWrite) is var (result, hasCrashed); crashAt++)
        {
            Assert.Equal(SagaStatus.Completed, result.Status);
            Assert.Equal(["+flight", "+hotel", "+payment"], script.Effects.Skip(writes * 3));
            writes++;
            if (!hasCrashed)
            {
                break;
            }
        }

        // The start, and the end of each of three steps.
        Assert.Equal(5, writes);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Crash_AtEveryWriteOfASagaThatFails_EndsCompensatedInReverseOrder(bool afterTheWrite)
    {
        script.Fail("+payment");
        var hasCrashed = true;
        for (var crashAt = 1; hasCrashed; crashAt++)
        {
            var before = script.Effects.Count;
            (var result, hasCrashed) = await CrashAsync(crashAt, afterTheWrite);

            Assert.Equal(SagaStatus.Compensated, result.Status);
            Assert.Equal(["payment", "hotel", "flight"], result.Compensated);
            Assert.Equal(["+flight", "+hotel", "+payment", "-payment", "-hotel", "-flight"], script.Effects.Skip(before));
        }
    }

    [Fact]
    public async Task Crash_InAStep_RunsItAgainWithTheSameKeyAndAHigherFencingToken()
    {
        var inStep = new TaskCompletionSource();
        var fences = new List<long>();
        script.Doing = async (run, context, _) =>
        {
            fences.Add(context.FencingToken);
            if (run == "+hotel" && inStep.TrySetResult())
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, CancellationToken.None);
            }
        };
        var frozen = new CrashingSagaStore(store, int.MaxValue, after: false);
        await using var first = await SagaInstance.StartAsync(frozen, script, time);
        await first.Sagas.StartAsync(new Trip("ada"), "trip-1", Token);
        await inStep.Task.WaitAsync(RunningBus.Patience, Token);
        frozen.Crash();
        await using var second = await SagaInstance.StartAsync(store, script, time);
        var result = await second.WaitAsync("trip-1");

        Assert.Equal(SagaStatus.Completed, result.Status);
        Assert.Equal(["+flight", "+hotel", "+hotel", "+payment"], script.Calls);
        Assert.Equal(["+flight", "+hotel", "+payment"], script.Effects);
        Assert.True(fences[2] > fences[1]);
        Assert.Equal(1, (await second.Sagas.FindAsync("trip-1", Token))!.Steps[1].Interruptions);
    }

    [Fact]
    public async Task Step_ThatCrashesItsProcessEveryTime_FailsAndIsCompensated()
    {
        // Up to ten crashes may be coincidence; after that the step counts as their cause.
        const int Crashes = 11;
        CrashingSagaStore? running = null;
        script.Doing = (run, _, _) =>
        {
            if (run == "+flight" && script.Calls.Count <= Crashes)
            {
                running!.Crash();
                return Task.Delay(Timeout.InfiniteTimeSpan, CancellationToken.None);
            }

            return Task.CompletedTask;
        };
        var nodes = new List<SagaInstance>();
        for (var i = 0; i <= Crashes; i++)
        {
            running = new CrashingSagaStore(store, int.MaxValue, after: false);
            nodes.Add(await SagaInstance.StartAsync(running, script, time));
            await (i == 0 ? nodes[0].Sagas.StartAsync(new Trip("ada"), "trip-1", Token) : Task.CompletedTask);
            if (i < Crashes)
            {
                await nodes[i].AdvanceUntilCompletedAsync(running.Over);
            }
        }

        var result = await nodes[^1].WaitAsync("trip-1");
        Assert.Equal((SagaStatus.Compensated, "flight"), (result.Status, result.FailedStep));
        Assert.Contains("process ended 11 times", result.Error, StringComparison.Ordinal);
        Assert.Equal(Crashes, script.Calls.Count(call => call == "+flight"));
        foreach (var node in nodes)
        {
            await node.DisposeAsync();
        }
    }

    [Fact]
    public async Task Store_ThatDoesNotAnswer_DelaysTheSagaAndIsAskedAgain()
    {
        var down = new CrashingSagaStore(store, int.MaxValue, after: false);
        script.Doing = (run, _, _) =>
        {
            // Each failed write is followed by a probe that shows whether the store accepts writes.
            down.Failures = run == "+hotel" ? 6 : 0;
            return Task.CompletedTask;
        };
        await using var node = await SagaInstance.StartAsync(down, script, null);

        var result = await node.Sagas.RunAsync(new Trip("ada"), "trip-1", Token).WaitAsync(RunningBus.Patience, Token);

        Assert.True(result.IsCompleted);
        Assert.Equal(["+flight", "+hotel", "+payment"], script.Calls);
        Assert.Single(node.Log.At(Microsoft.Extensions.Logging.LogLevel.Error));
        Assert.Contains(node.Log.Entries, entry => entry.Text.StartsWith("Recovered after 3 failures", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Store_ThatAcceptsNoWrites_IsUnhealthyUntilItDoes()
    {
        var down = new CrashingSagaStore(store, int.MaxValue, after: false);
        script.Doing = (run, _, _) =>
        {
            down.Failures = run == "+hotel" ? 2 : 0;
            return Task.CompletedTask;
        };
        await using var node = await SagaInstance.StartAsync(down, script, time);
        await node.Sagas.StartAsync(new Trip("ada"), "trip-1", Token);
        HealthReport? report = null;
        await Until.TrueAsync(
            "the bus is not healthy",
            async () => (report = await node.Health.CheckHealthAsync(Token)).Status != HealthStatus.Healthy,
            Token);

        var entry = Assert.Single(report!.Entries).Value;
        Assert.StartsWith("The saga store accepts no writes", entry.Description, StringComparison.Ordinal);
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.True((await node.Sagas.WaitAsync<Trip>("trip-1", Token).WaitAsync(RunningBus.Patience, Token)).IsCompleted);
        Assert.Equal(HealthStatus.Healthy, (await node.Health.CheckHealthAsync(Token)).Status);
    }

    /// <summary>Runs a saga on an instance that crashes at a write, and then on another instance.</summary>
    private async Task<(SagaResult<Trip> Result, bool HasCrashed)> CrashAsync(int crashAt, bool after)
    {
        var crashing = new CrashingSagaStore(store, crashAt, after);
        var id = $"trip-{crashAt}";
        await using var first = await SagaInstance.StartAsync(crashing, script, time);
        var starting = first.Sagas.StartAsync(new Trip("ada"), id, Token);
        await crashing.Over.WaitAsync(RunningBus.Patience, Token);
        await using var second = await SagaInstance.StartAsync(store, script, time);
        if (await store.FindAsync(id, Token) is null)
        {
            // The instance crashed before the saga was stored: the caller starts it again.
            await second.Sagas.StartAsync(new Trip("ada"), id, Token);
        }

        return (await second.WaitAsync(id), crashing.IsDead);
    }
}
