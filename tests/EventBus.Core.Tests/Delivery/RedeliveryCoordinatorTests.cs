using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Tests which redelivered events may run at the same time, and how long one waits for another.</summary>
public sealed class RedeliveryCoordinatorTests
{
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider time = new();
    private readonly ConcurrencyLimiter slots = new(1);
    private readonly FaultyStore store = new();
    private readonly RedeliveryCoordinator coordinator;
    private readonly ConcurrentMark mark;
    private int marks;

    public RedeliveryCoordinatorTests()
    {
        coordinator = new RedeliveryCoordinator(time, Lease);
        var policy = new FailurePolicy("mail", false, new RetryPolicy(RetrySettings.Merge(), [], new RandomSource(), NullLogger.Instance));
        mark = new ConcurrentMark(
            TestServices.CreateRecorder(store, TestServices.Create(time)).Attempts,
            policy,
            new Envelope(new EnvelopeAttributes { Id = "1", Name = "order.placed" }, "{}"u8.ToArray()));
        store.Before = (_, _) => marks++;
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Enter_WhileOthersRun_MarksEachOfThemOnceAndCountsAsConcurrent()
    {
        var first = await StartAsync(alone: false);
        var second = await StartAsync(alone: false);
        var third = await StartAsync(alone: false);

        Assert.Equal((1, false, true, true), (marks, first.Concurrent, second.Concurrent, third.Concurrent));
    }

    [Fact]
    public async Task Enter_WhileTheAttemptOfAnotherIsBeingCounted_WaitsUntilItCanBeMarked()
    {
        var first = Enter(alone: false);
        Assert.False(first.BeginCounting());
        var counting = Enter(alone: false).MarkOthersAsync(slots);
        Assert.False(counting.IsCompleted);
        Assert.Equal(0, marks);

        first.CountStored.SetResult();

        await counting.WaitAsync(RunningBus.Patience, Token);
        Assert.Equal(1, marks);
    }

    /// <summary>
    /// The count of this event records a concurrent attempt, so that another event need not wait for that count. The
    /// event may get its slot much later.
    /// </summary>
    [Fact]
    public async Task Enter_WhileTheAttemptOfAnotherIsNotCountedYet_DoesNotWait()
    {
        var first = Enter(alone: false);
        var second = Enter(alone: false);

        await second.MarkOthersAsync(slots).WaitAsync(RunningBus.Patience, Token);

        Assert.Equal((true, true, 0), (first.BeginCounting(), second.BeginCounting(), marks));
    }

    /// <summary>
    /// The mark of the first event is written with the slot of the second one, which may then wait long for a slot.
    /// </summary>
    [Fact]
    public async Task Enter_WhileAnotherMarks_WaitsForTheMarkAndNotForItsSlot()
    {
        store.Before = (_, _) =>
        {
            if (++marks == 1)
            {
                throw new IOException("unreachable for a moment");
            }
        };
        var first = Enter(alone: false);
        first.BeginCounting();
        first.CountStored.SetResult();
        await slots.TakeAsync();
        var second = Enter(alone: false).MarkOthersAsync(slots);
        var third = Enter(alone: false).MarkOthersAsync(slots);
        Assert.False(third.IsCompleted);

        // Another event takes the slot that the second one has lent.
        await slots.TakeAsync().WaitAsync(RunningBus.Patience, Token);
        await time.AdvanceUntilAsync(TimeSpan.FromMilliseconds(100), "the mark is written", () => third.IsCompleted, Token);

        await third;
        Assert.False(second.IsCompleted);
        slots.Release();
        await second.WaitAsync(RunningBus.Patience, Token);
    }

    [Fact]
    public async Task Enter_ToRunAlone_WaitsForTheOthersForAtMostOneLease()
    {
        var (first, _) = await StartAsync(alone: false);
        var alone = WhenEnteredAsync(alone: true);
        time.Advance(Lease - TimeSpan.FromSeconds(1));
        Assert.False(alone.IsCompleted);
        first.Dispose();
        (await alone.WaitAsync(RunningBus.Patience, Token)).Dispose();

        await StartAsync(alone: false);
        alone = WhenEnteredAsync(alone: true);
        time.Advance(Lease);

        var run = await alone.WaitAsync(RunningBus.Patience, Token);
        await run.MarkOthersAsync(slots);
        Assert.Equal((1, false), (marks, run.BeginCounting()));
    }

    [Fact]
    public async Task Enter_WhileOneRunsAlone_WaitsAtMostFiveSeconds()
    {
        var (alone, _) = await StartAsync(alone: true);
        var other = WhenEnteredAsync(alone: false);
        time.Advance(TimeSpan.FromSeconds(4));
        Assert.False(other.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(1));

        var run = await other.WaitAsync(RunningBus.Patience, Token);
        await run.MarkOthersAsync(slots);
        Assert.Equal((1, true), (marks, run.BeginCounting()));
        alone.Dispose();
        run.Dispose();
        Enter(alone: true).Dispose();
    }

    /// <summary>Other events arrive one after the other, so that one of them runs at any time.</summary>
    [Fact]
    public async Task Enter_ToRunAloneWhileOthersKeepArriving_IsNotStarved()
    {
        var (running, _) = await StartAsync(alone: false);
        var alone = WhenEnteredAsync(alone: true);
        for (var passed = TimeSpan.Zero; passed < Lease; passed += TimeSpan.FromSeconds(10))
        {
            time.Advance(TimeSpan.FromSeconds(10));
            var next = WhenEnteredAsync(alone: false);
            running.Dispose();
            if (passed + TimeSpan.FromSeconds(10) < Lease)
            {
                running = await next.WaitAsync(RunningBus.Patience, Token);
            }
            else if (await Task.WhenAny(alone, next).WaitAsync(RunningBus.Patience, Token) == next)
            {
                // It entered between the end of the wait of the other one and its next try.
                (await next).Dispose();
            }
        }

        (await alone.WaitAsync(RunningBus.Patience, Token)).Dispose();
    }

    /// <summary>An attempt that has ended is not marked, because the mark would never be removed.</summary>
    [Fact]
    public async Task Enter_WhileTheOtherEnds_MarksNothing()
    {
        var first = Enter(alone: false);
        first.BeginCounting();
        var counting = Enter(alone: false).MarkOthersAsync(slots);

        first.Dispose();

        await counting.WaitAsync(RunningBus.Patience, Token);
        Assert.Equal(0, marks);
    }

    /// <summary>
    /// An event that ends the process must not end claims of others, which would count as their attempts.
    /// </summary>
    [Fact]
    public async Task BeginClaim_WhileOneRunsAlone_IsRefusedForAtMostFiveSeconds()
    {
        await StartAsync(alone: false);
        Assert.True(coordinator.TryBeginClaim(out _));
        coordinator.Undecided.EndCall([]);
        time.Advance(Lease);
        var alone = Enter(alone: true);

        Assert.False(coordinator.TryBeginClaim(out var wait));
        Assert.Equal(TimeSpan.FromSeconds(5), wait);

        time.Advance(wait);
        Assert.True(coordinator.TryBeginClaim(out _));
        alone.Dispose();
    }

    [Fact]
    public async Task WhenClaimsAreDecided_WhileACallAndAnInterruptedEntryAreOpen_WaitsForBoth()
    {
        coordinator.Undecided.BeginCall();
        coordinator.Undecided.BeginCall();
        coordinator.Undecided.EndCall([Entry(1, interrupted: false), Entry(2, interrupted: true)]);
        var decided = coordinator.WhenClaimsAreDecidedAsync(Token);
        coordinator.Undecided.Decide(Entry(2, interrupted: true));
        Assert.False(decided.IsCompleted);
        coordinator.Undecided.EndCall([Entry(3, interrupted: true)]);
        Assert.False(decided.IsCompleted);

        coordinator.Undecided.Decide(Entry(3, interrupted: true));

        await decided.WaitAsync(RunningBus.Patience, Token);
    }

    [Fact]
    public async Task WhenClaimsAreDecided_WhileACallDoesNotEnd_WaitsForAtMostOneLease()
    {
        coordinator.Undecided.BeginCall();
        var decided = coordinator.WhenClaimsAreDecidedAsync(Token);
        time.Advance(Lease - TimeSpan.FromSeconds(1));
        Assert.False(decided.IsCompleted);

        time.Advance(TimeSpan.FromSeconds(1));

        await decided.WaitAsync(RunningBus.Patience, Token);
    }

    private static FailedEvent Entry(long claim, bool interrupted) => new()
    {
        Subscription = "mail",
        Envelope = new Envelope(new EnvelopeAttributes { Id = "1", Name = "order.placed" }, "{}"u8.ToArray()),
        Status = FailedEventStatus.Waiting,
        Claim = claim,
        WasInterrupted = interrupted,
    };

    private RedeliveryRun Enter(bool alone)
    {
        var run = coordinator.TryEnter(alone, time.GetTimestamp(), mark);
        Assert.NotNull(run);
        return run;
    }

    private async Task<RedeliveryRun> WhenEnteredAsync(bool alone)
    {
        var arrived = time.GetTimestamp();
        while (true)
        {
            if (coordinator.TryEnter(alone, arrived, mark) is { } run)
            {
                return run;
            }

            await coordinator.WhenFreeAsync(alone, arrived, Token);
        }
    }

    private async Task<(RedeliveryRun Run, bool Concurrent)> StartAsync(bool alone)
    {
        var run = Enter(alone);
        await run.MarkOthersAsync(slots);
        var accompanied = run.BeginCounting();
        run.CountStored.SetResult();
        return (run, accompanied);
    }
}
