using EventBus.Stores;
using static EventBus.Sqlite.Tests.TestStores;

namespace EventBus.Sqlite.Tests;

/// <summary>Tests a change of the machine's clock while entries wait in the file.</summary>
public sealed class SqlClockTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private readonly SettableTime time = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Clock_SetBackByAnHour_WaitingEntriesAreDueInTime()
    {
        using var folder = new TestFolder();
        await using var stores = await OpenAsync(folder["bus.db"], time: time);
        await PlanAsync(stores, "before", Minute);
        await stores.Failures.RecordAsync(Failed("claimed", Now(stores)), Token);
        Assert.Equal(["claimed"], await DueAsync(stores));

        time.Set(-Hour);
        Assert.Empty(await DueAsync(stores));
        await PlanAsync(stores, "after", Minute / 2);

        time.Pass((Minute / 2) + Second);
        Assert.Equal(["after", "after", "after"], await DueAsync(stores));
        time.Pass((Minute / 2) + Second);
        Assert.Equal(["before", "before", "before", "claimed"], await DueAsync(stores));
    }

    [Fact]
    public async Task Clock_SetBackUnderTwoProcesses_StaysCommonToBothAndTheNext()
    {
        using var folder = new TestFolder();
        await using var first = await OpenAsync(folder["bus.db"], time: time);
        await using var second = await OpenAsync(folder["bus.db"], time: time);
        await first.Failures.RecordAsync(Failed("claimed", Now(first)), Token);
        Assert.Equal(["claimed"], await DueAsync(first));

        time.Set(-Hour);
        Assert.Empty(await DueAsync(second));
        Assert.Empty(await DueAsync(first));
        await using var third = await OpenAsync(folder["bus.db"], time: time);
        Assert.Empty(await DueAsync(third));
        Assert.InRange(Now(third) - Now(first), -Second, Second);
        Assert.InRange(Now(second) - Now(first), -Second, Second);
        time.Pass(Minute + Second);
        Assert.Equal(["claimed"], await DueAsync(third));
    }

    [Fact]
    public async Task Clock_SetForwardAndBackAgain_DelaysNothingAndRunsNothingEarly()
    {
        using var folder = new TestFolder();
        await using var stores = await OpenAsync(folder["bus.db"], time: time);
        for (var i = 0; i < 3; i++)
        {
            await PlanAsync(stores, $"long {i}", 3 * Hour);
            time.Set(Hour);
            Assert.Empty(await DueAsync(stores));
            await PlanAsync(stores, $"short {i}", Minute);

            time.Pass(Minute / 2);
            time.Set(-Hour);
            Assert.Empty(await DueAsync(stores));
            time.Pass((Minute / 2) + Second);
            Assert.Equal(Enumerable.Repeat($"short {i}", 3), await DueAsync(stores, complete: true));

            time.Pass((3 * Hour) - (2 * Minute));
            Assert.Empty(await DueAsync(stores));
            time.Pass(2 * Minute);
            Assert.Equal(Enumerable.Repeat($"long {i}", 3), await DueAsync(stores, complete: true));
        }
    }

    [Fact]
    public async Task Clock_SetForwardAndBackAgain_LeasesStayWithTheirOwner()
    {
        using var folder = new TestFolder();
        await using var holder = await OpenAsync(folder["bus.db"], time: time);
        await using var other = await OpenAsync(folder["bus.db"], time: time);
        await holder.Failures.RecordAsync(Failed("retry", Now(holder)), Token);
        await holder.Delays.AddAsync(Event("delay"), Now(holder), Token);
        Assert.Equal(["delay", "retry"], await DueAsync(holder));
        var key = new ProcessedKey("mail", "key");
        await holder.Processed.ClaimAsync(key, 1, Now(holder), Lease, Token);

        foreach (var hours in new[] { 1, -1 })
        {
            time.Set(hours * Hour);
            Assert.Empty(await DueAsync(other));
            Assert.Equal(ProcessedState.InProgress, (await other.Processed.ClaimAsync(key, 1, Now(other), Lease, Token)).State);
            Assert.Empty(await DueAsync(holder));
        }

        time.Pass(Lease + Second);
        Assert.Equal(["delay", "retry"], await DueAsync(other));
        Assert.Equal(ProcessedState.New, (await other.Processed.ClaimAsync(key, 1, Now(other), Lease, Token)).State);
    }

    [Fact]
    public async Task Clock_Set_InstancesStayKnown()
    {
        using var folder = new TestFolder();
        await using var first = await OpenAsync(folder["bus.db"], time: time);
        await using var second = await OpenAsync(folder["bus.db"], time: time);
        await RecordAsync(first, "one");
        await RecordAsync(second, "two");

        time.Set(-Hour);
        Assert.Equal(2, await RecordAsync(first, "one"));

        // The second instance crashed before the clock was set.
        time.Pass((Minute / 2) + Second);
        Assert.Equal(1, await RecordAsync(first, "one"));

        // Both instances register again at once.
        await RecordAsync(second, "two");
        time.Set(Hour);
        await RecordAsync(first, "one");
        Assert.Equal(2, await RecordAsync(second, "two"));
        Assert.Equal(2, await RecordAsync(first, "one"));
    }

    [Fact]
    public async Task Clock_SetForward_EarlierDelayedEventsAreStillListedAndCancelled()
    {
        using var folder = new TestFolder();
        await using var stores = await OpenAsync(folder["bus.db"], time: time);
        await stores.Delays.AddAsync(Event("earlier"), Now(stores) + (3 * Hour), Token);

        time.Set(Hour);
        await stores.Delays.AddAsync(Event("later"), Now(stores) + (3 * Hour), Token);

        Assert.Equal(["earlier", "later"], (await stores.Delays.ListAsync(10, Token)).Select(delayed => delayed.EventId));
        Assert.True(await stores.Delays.CancelAsync("earlier", Token));
        Assert.Equal("later", Assert.Single(await stores.Delays.ListAsync(10, Token)).EventId);
    }

    private static DateTimeOffset Now(TestStores stores) => stores.Clock.GetUtcNow();

    private static async Task<int> RecordAsync(TestStores stores, string instance) =>
        (await stores.Instances.RecordAsync(instance, ["mail"], Now(stores), Minute / 2, Token))["mail"];

    /// <summary>Plans a delayed event, a retry and a saga.</summary>
    private static async Task PlanAsync(TestStores stores, string name, TimeSpan delay)
    {
        var now = Now(stores);
        await stores.Delays.AddAsync(Event(name), now + delay, Token);
        await stores.Failures.RecordAsync(Failed(name, now + delay) with { LastFailedAt = now }, Token);
        await stores.Sagas.CreateAsync(Saga(name) with { DueAt = now + delay, StartedAt = now, ChangedAt = now }, Token);
    }

    /// <summary>Claims the due entries, and completes them if requested.</summary>
    private static async Task<IEnumerable<string>> DueAsync(TestStores stores, bool complete = false)
    {
        var delays = (await stores.Delays.ClaimDueAsync(Now(stores), Lease, 10, Token)).Entries;
        var failures = (await stores.Failures.ClaimDueAsync(["mail"], Now(stores), Lease, 10, Token)).Entries;
        var sagas = (await stores.Sagas.ListDueAsync(["trip"], Now(stores), 10, Token)).Entries;
        foreach (var saga in sagas)
        {
            Assert.True(await stores.Sagas.SaveAsync(saga with { DueAt = null, Status = SagaStatus.Completed }, Token));
        }

        if (complete)
        {
            foreach (var envelope in delays)
            {
                await stores.Delays.RemoveAsync(envelope, Token);
            }

            foreach (var entry in failures)
            {
                await stores.Failures.CompleteAsync(entry, Token);
            }
        }

        return [.. delays.Select(envelope => envelope.Id)
            .Concat(failures.Select(entry => entry.Envelope.Id))
            .Concat(sagas.Select(saga => saga.Id))
            .Order(StringComparer.Ordinal)];
    }

    /// <summary>The system's clock, set by a test.</summary>
    private sealed class SettableTime : TimeProvider
    {
        private long offset;
        private long passed;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + TimeSpan.FromTicks(Interlocked.Read(ref offset));

        public override long GetTimestamp() => TimeProvider.System.GetElapsedTime(0).Ticks + Interlocked.Read(ref passed);

        public void Set(TimeSpan span) => Interlocked.Add(ref offset, span.Ticks);

        /// <summary>Advances the time in one step.</summary>
        public void Pass(TimeSpan span)
        {
            Interlocked.Add(ref passed, span.Ticks);
            Set(span);
        }
    }
}
