using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Shows that numbered events are handled in the order of their numbers.</summary>
public sealed class SequenceTests
{
    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly Seen seen = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>O3, and O1 for numbered events: 20 shuffled keys and 16 concurrent handlers.</summary>
    [Fact]
    public async Task Sequenced_ArrivalsShuffled_AreHandledInTheOrderOfTheirNumbers()
    {
        const int Keys = 20, Count = 50;
        var random = new Random(20_261_124);
        await using var running = await StartAsync((e, _) => Note($"{e.OrderId} {e.Number}"));
        for (var number = 1; number <= Count; number += 10)
        {
            var window = (from key in Enumerable.Range(0, Keys)
                          from n in Enumerable.Range(number, 10)
                          select new StepTaken($"k{key}", n)).ToArray();
            random.Shuffle(window);
            await running.Bus.PublishManyAsync(window, cancellationToken: Token);
        }

        await running.WhenIdleAsync();
        foreach (var key in Enumerable.Range(0, Keys).Select(key => $"k{key}"))
        {
            Assert.Equal(
                Enumerable.Range(1, Count).Select(n => $"{key} {n}"),
                seen.Items.Where(item => item.StartsWith($"{key} ", StringComparison.Ordinal)));
        }

        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    [Fact]
    public async Task Sequenced_StaleOrRepeatedNumber_IsSkipped()
    {
        await using var running = await StartAsync((e, _) => Note($"{e.Number}"));
        foreach (var number in new[] { 1, 2, 1, 2, 3 })
        {
            await PublishAsync(running, number);
            await running.WhenIdleAsync();
        }

        Assert.Equal(["1", "2", "3"], seen.Items);
        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    /// <summary>No number follows the highest one: a repetition is stale, and does not wait.</summary>
    [Fact]
    public async Task Sequenced_HighestNumber_IsHandledAndStaleWhenItIsRepeated()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe(
                "counts",
                s => s.On<StepCounted>((e, _, _) => Note($"{e.Number}")).Sequenced<StepCounted>(e => e.Number, first: long.MaxValue - 1)),
            time);
        foreach (var number in new[] { long.MaxValue, long.MaxValue - 1, long.MaxValue, long.MinValue, 1 })
        {
            await running.Bus.PublishAsync(new StepCounted(number), new PublishOptions { Key = "k" }, Token);
            await running.WhenIdleAsync();
        }

        Assert.Equal([$"{long.MaxValue - 1}", $"{long.MaxValue}"], seen.Items);
        await running.PassAsync(time, TimeSpan.FromHours(1));
        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    /// <summary>O2: a failed number is retried before the next one runs.</summary>
    [Fact]
    public async Task Sequenced_NumberFails_LaterOnesWaitForItsRetry()
    {
        await using var running = await StartAsync(
            (e, context) => e.Number == 2 && context.Attempt == 1 ? throw new IOException("down") : Note($"{e.Number}"));
        await PublishAsync(running, 1, 2, 3, 4);
        await running.WhenIdleAsync();
        Assert.Equal(["1"], seen.Items);

        await running.PassAsync(time, TimeSpan.FromSeconds(6));
        Assert.Equal(["1", "2", "3", "4"], seen.Items);
    }

    /// <summary>
    /// O4: events behind a gap become dead letters with an alert when their time is up. If an operator retries the
    /// first of them, the sequence continues without the missing number.
    /// </summary>
    [Fact]
    public async Task Sequenced_GapNeverFills_DeadLettersWithAlertsAndContinuesAfterAManualRetry()
    {
        await using var running = await StartAsync((e, _) => Note($"{e.Number}"));
        await PublishAsync(running, 1, 3, 4);
        await running.WhenIdleAsync();
        Assert.Equal(["1"], seen.Items);

        await running.PassAsync(time, TimeSpan.FromMinutes(5));
        var letters = await running.DeadLetters.ListAsync(new DeadLetterFilter { Reason = DeadLetterReason.OutOfOrder }, Token);
        Assert.Equal(2, letters.Count);
        Assert.All(letters, letter => Assert.Equal(0, letter.Attempts));

        // The second alert of the same kind waits until the alert interval ends.
        await running.PassAsync(time, TimeSpan.FromMinutes(1));
        Assert.Equal(
            2,
            seen.Items.Where(item => item.StartsWith("alert", StringComparison.Ordinal)).Sum(item => item.Split(' ').Length - 1));

        Assert.Equal(2, await running.DeadLetters.RetryAllAsync(cancellationToken: Token));
        await running.WhenIdleAsync();
        Assert.Equal(["1", "3", "4"], seen.Items.Where(item => !item.StartsWith("alert", StringComparison.Ordinal)));

        await PublishAsync(running, 5);
        await running.WhenIdleAsync();
        Assert.Equal("5", seen.Items[^1]);
    }

    [Fact]
    public async Task Sequenced_MissingNumberArrivesAfterTheGapTimeout_IsSkippedAsStale()
    {
        await using var running = await StartAsync((e, _) => Note($"{e.Number}"));
        await PublishAsync(running, 2);
        await running.WhenIdleAsync();
        await running.PassAsync(time, TimeSpan.FromMinutes(5));
        await running.DeadLetters.RetryAllAsync(cancellationToken: Token);
        await running.WhenIdleAsync();

        await PublishAsync(running, 1);
        await running.WhenIdleAsync();
        Assert.Equal(["2"], seen.Items.Where(item => !item.StartsWith("alert", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Sequenced_ContinueWhenBlocked_ContinuesWithoutTheDeadLetterAndRetriesItLater()
    {
        var isFixed = false;
        await using var running = await StartAsync(
            (e, _) => e.Number == 2 && !isFixed ? throw new IOException("down") : Note($"{e.Number}"),
            s => s.OnBlockedKey(BlockedKeyBehavior.Continue).Retry(0));
        await PublishAsync(running, 1, 2, 3);
        await running.WhenIdleAsync();
        Assert.Equal(["1", "3"], seen.Items.Where(item => !item.StartsWith("alert", StringComparison.Ordinal)));

        isFixed = true;
        Assert.Equal(1, await running.DeadLetters.RetryAllAsync(cancellationToken: Token));
        await running.WhenIdleAsync();
        Assert.Equal("2", seen.Items[^1]);
    }

    /// <summary>Later numbers pass a dead letter only, not an event that waits for a retry.</summary>
    [Fact]
    public async Task Sequenced_ContinueWhenBlockedAndNumberFails_LaterOnesWaitForItsRetry()
    {
        await using var running = await StartAsync(
            (e, context) => e.Number == 2 && context.Attempt == 1 ? throw new IOException("down") : Note($"{e.Number}"),
            s => s.OnBlockedKey(BlockedKeyBehavior.Continue));
        await PublishAsync(running, 1, 2, 3);
        await running.WhenIdleAsync();
        Assert.Equal(["1"], Handled);

        await running.PassAsync(time, TimeSpan.FromSeconds(6));
        Assert.Equal(["1", "2", "3"], Handled);
    }

    /// <summary>Continuing after a dead letter loses none of the events before it.</summary>
    [Fact]
    public async Task Sequenced_ContinueWhenBlockedAndTooManyWait_HandlesThoseThatWait()
    {
        await using var running = await StartAsync(
            (e, _) => Note($"{e.Number}"),
            s => s.OnBlockedKey(BlockedKeyBehavior.Continue),
            bus => bus.Configure(options => options.MaxParkedPerKey = 3));
        await PublishAsync(running, 2, 3, 4, 5);
        await running.WhenIdleAsync();
        Assert.Equal(DeadLetterReason.KeyBlocked, Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token)).Reason);
        Assert.Empty(Handled);

        await PublishAsync(running, 1);
        await running.WhenIdleAsync();
        Assert.Equal(["1", "2", "3", "4"], Handled);
    }

    [Fact]
    public async Task Sequenced_ContinueWhenBlockedAndALaterNumberTimesOutFirst_HandlesTheEarlierOne()
    {
        await using var running = await StartAsync((e, _) => Note($"{e.Number}"), s => s.OnBlockedKey(BlockedKeyBehavior.Continue));
        await PublishAsync(running, 3);
        await running.WhenIdleAsync();
        await running.PassAsync(time, TimeSpan.FromMinutes(1));
        await PublishAsync(running, 2, 4);
        await running.WhenIdleAsync();
        Assert.Empty(Handled);

        await running.PassAsync(time, TimeSpan.FromMinutes(4));
        Assert.Equal("k", Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token)).Key);
        Assert.Equal(["2", "4"], Handled);
    }

    /// <summary>After a long downtime, the event that another one waits for may still be in the queue.</summary>
    [Fact]
    public async Task Sequenced_WaitedDuringADowntime_DoesNotTimeOutAtOnce()
    {
        var store = new InMemoryFailureStore(1_000);
        await using (var before = await StartAsync((e, _) => Note($"{e.Number}"), bus: Keep))
        {
            await PublishAsync(before, 2);
            await before.WhenIdleAsync();
        }

        time.Advance(TimeSpan.FromHours(1));
        await using var after = await StartAsync((e, _) => Note($"{e.Number}"), bus: Keep);
        await after.WhenIdleAsync();
        await PublishAsync(after, 1);
        await after.WhenIdleAsync();
        Assert.Equal(["1", "2"], Handled);

        void Keep(EventBusBuilder bus) => bus.UseStores(_ => new TestBusStores("kept", failures: store));
    }

    /// <summary>O6: the numbers determine the order, not the clocks.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(-60)]
    public async Task Sequenced_ClockJumps_ChangesNothing(int minutes)
    {
        await using var running = await StartAsync((e, _) => Note($"{e.Number}"));
        await PublishAsync(running, 2);
        await running.WhenIdleAsync();
        time.AdjustTime(time.GetUtcNow().AddMinutes(minutes));
        await PublishAsync(running, 1);
        await running.WhenIdleAsync();
        Assert.Equal(["1", "2"], seen.Items);
    }

    [Fact]
    public async Task Sequenced_TooManyWait_LaterOnesAreDeadLettersAsKeyBlocked()
    {
        await using var running = await StartAsync(
            (e, _) => Note($"{e.Number}"),
            bus: bus => bus.Configure(options => options.MaxParkedPerKey = 3));
        await PublishAsync(running, 2, 3, 4, 5);
        await running.WhenIdleAsync();

        Assert.Equal(DeadLetterReason.KeyBlocked, Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token)).Reason);
        await PublishAsync(running, 1);
        await running.WhenIdleAsync();
        Assert.Equal(3, seen.Items.Count(item => !item.StartsWith("alert", StringComparison.Ordinal)) - 1);
    }

    private IEnumerable<string> Handled => seen.Items.Where(item => !item.StartsWith("alert", StringComparison.Ordinal));

    private static Task PublishAsync(RunningBus running, params int[] numbers) =>
        running.Bus.PublishManyAsync([.. numbers.Select(number => new StepTaken("k", number))], cancellationToken: Token);

    private Task<RunningBus> StartAsync(
        Func<StepTaken, EventContext, Task> handler,
        Action<SubscriptionBuilder>? subscription = null,
        Action<EventBusBuilder>? bus = null) =>
        RunningBus.StartAsync(
            builder =>
            {
                builder.UseInMemory().AddAlert<Alert>().Configure(options => options.Retry.Jitter = 0);
                builder.Event<StepTaken>().KeyedBy(e => e.OrderId);
                builder.Subscribe("steps", s =>
                {
                    s.On<StepTaken>((e, context, _) => handler(e, context)).Sequenced<StepTaken>(e => e.Number);
                    subscription?.Invoke(s);
                });
                bus?.Invoke(builder);
            },
            time,
            services => services.AddSingleton(seen));

    private Task Note(string text)
    {
        seen.Add(text);
        return Task.CompletedTask;
    }

    private sealed class Alert(Seen seen) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            seen.Add($"alert {string.Join(' ', alert.Ids)}");
            return Task.CompletedTask;
        }
    }
}
