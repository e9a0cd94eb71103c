using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Which suspects may run side by side, and how long one waits for another.</summary>
public sealed class SuspectGateTests
{
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider time = new();
    private readonly HandlerSlots slots = new(1);
    private readonly SuspectGate gate;
    private int marks;

    public SuspectGateTests() => gate = new SuspectGate(time, Lease);

    [Fact]
    public async Task Enter_BesideOthers_MarksEachOfThemOnceAndCountsAsAccompanied()
    {
        var first = await EnterAsync(alone: false);
        Assert.False(first.IsAccompanied);
        var second = await EnterAsync(alone: false);
        var third = await EnterAsync(alone: false);

        Assert.Equal((1, true, true), (marks, second.IsAccompanied, third.IsAccompanied));
    }

    [Fact]
    public async Task Enter_BesideOneWhoseStartIsNotKeptYet_WaitsUntilThatCanBeMarked()
    {
        var first = await gate.EnterAsync(false, Mark, CancellationToken.None);
        var second = await gate.EnterAsync(false, Mark, CancellationToken.None);
        var counting = second.CountCompanyAsync(slots);
        Assert.False(counting.IsCompleted);
        Assert.Equal(0, marks);

        first.Counted();

        await counting.WaitAsync(RunningBus.Patience, TestContext.Current.CancellationToken);
        Assert.Equal(1, marks);
    }

    [Fact]
    public async Task Enter_ToRunAlone_WaitsForTheEndOfTheOthersOrForALeaseAtMost()
    {
        var first = await EnterAsync(alone: false);
        var alone = gate.EnterAsync(true, Mark, CancellationToken.None);
        time.Advance(Lease - TimeSpan.FromSeconds(1));
        Assert.False(alone.IsCompleted);
        first.Dispose();
        (await alone.WaitAsync(RunningBus.Patience, TestContext.Current.CancellationToken)).Dispose();

        var hanging = await EnterAsync(alone: false);
        alone = gate.EnterAsync(true, Mark, CancellationToken.None);
        time.Advance(Lease);

        var run = await alone.WaitAsync(RunningBus.Patience, TestContext.Current.CancellationToken);
        await run.CountCompanyAsync(slots);
        Assert.Equal((1, false, false), (marks, run.IsAccompanied, hanging.IsAccompanied));
    }

    [Fact]
    public async Task Enter_WhileOneRunsAlone_WaitsForItFiveSecondsAtMost()
    {
        var alone = await EnterAsync(alone: true);
        var other = gate.EnterAsync(false, Mark, CancellationToken.None);
        time.Advance(TimeSpan.FromSeconds(4));
        Assert.False(other.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(1));

        var run = await other.WaitAsync(RunningBus.Patience, TestContext.Current.CancellationToken);
        await run.CountCompanyAsync(slots);
        Assert.Equal((1, true), (marks, run.IsAccompanied));
        alone.Dispose();
        run.Dispose();
        Assert.True(gate.EnterAsync(true, Mark, CancellationToken.None).IsCompleted);
    }

    /// <summary>Others that come one after the other, so that one of them always runs, do not keep it out.</summary>
    [Fact]
    public async Task Enter_ToRunAloneUnderAStreamOfOthers_IsNotStarved()
    {
        var running = await EnterAsync(alone: false);
        var alone = gate.EnterAsync(true, Mark, CancellationToken.None);
        for (var passed = TimeSpan.Zero; passed < Lease; passed += TimeSpan.FromSeconds(10))
        {
            time.Advance(TimeSpan.FromSeconds(10));
            var next = gate.EnterAsync(false, Mark, CancellationToken.None);
            running.Dispose();
            if (passed + TimeSpan.FromSeconds(10) < Lease)
            {
                running = await next;
            }
        }

        (await alone.WaitAsync(RunningBus.Patience, TestContext.Current.CancellationToken)).Dispose();
    }

    private async Task<SuspectRun> EnterAsync(bool alone)
    {
        var entering = gate.EnterAsync(alone, Mark, CancellationToken.None);
        Assert.True(entering.IsCompletedSuccessfully);
        var run = await entering;
        await run.CountCompanyAsync(slots);
        run.Counted();
        return run;
    }

    private Task Mark(HandlerSlots caller)
    {
        marks++;
        return Task.CompletedTask;
    }
}
