using EventBus.Stores;
using static EventBus.Sqlite.Tests.TestStores;

namespace EventBus.Sqlite.Tests;

/// <summary>The clock of the machine is set back while entries wait in the file.</summary>
public sealed class SqlClockTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly SettableTime time = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private DateTimeOffset Time => time.GetUtcNow();

    [Fact]
    public async Task Clock_SetBackByAnHour_WhatWaitsIsDueWhenItsTimeHasElapsed()
    {
        using var folder = new TestFolder();
        await using var stores = await OpenAsync(folder["bus.db"], time: time);
        await stores.Delays.AddAsync(Event("delayed"), Time + Minute, Token);
        await stores.Failures.RecordAsync(Failed("retry", Time + Minute), Token);
        await stores.Failures.RecordAsync(Failed("claimed", Time), Token);
        Assert.Single((await stores.Failures.ClaimDueAsync(["mail"], Time, Lease, 10, Token)).Entries);
        await stores.Sagas.CreateAsync(Saga("trip") with { DueAt = Time + Minute }, Token);

        time.Set(-TimeSpan.FromHours(1));
        Assert.Empty((await stores.Delays.ClaimDueAsync(Time, Lease, 10, Token)).Entries);
        Assert.Empty((await stores.Failures.ClaimDueAsync(["mail"], Time, Lease, 10, Token)).Entries);

        var soon = Time + Minute + TimeSpan.FromSeconds(1);
        Assert.Equal("delayed", Assert.Single((await stores.Delays.ClaimDueAsync(soon, Lease, 10, Token)).Entries).EventId);
        Assert.Equal(["claimed", "retry"], (await stores.Failures.ClaimDueAsync(["mail"], soon, Lease, 10, Token)).Entries.Select(entry => entry.Envelope.EventId).Order());
        Assert.Single((await stores.Sagas.ListDueAsync(["trip"], soon, 10, Token)).Entries);
    }

    [Fact]
    public async Task Clock_SetBackUnderTwoProcesses_IsFollowedOnce()
    {
        using var folder = new TestFolder();
        await using var first = await OpenAsync(folder["bus.db"], time: time);
        await using var second = await OpenAsync(folder["bus.db"], time: time);
        await first.Delays.AddAsync(Event("before"), Time + TimeSpan.FromHours(3), Token);

        time.Set(-TimeSpan.FromHours(1));
        await first.Delays.ClaimDueAsync(Time, Lease, 10, Token);
        await first.Delays.AddAsync(Event("after"), Time + Minute, Token);
        var next = (await second.Delays.ClaimDueAsync(Time, Lease, 10, Token)).NextDue;
        Assert.InRange(next!.Value - Time, TimeSpan.FromSeconds(30), Minute);

        await first.Delays.RemoveAsync(Event("after"), Token);
        next = (await second.Delays.ClaimDueAsync(Time, Lease, 10, Token)).NextDue;
        Assert.InRange(next!.Value - Time, TimeSpan.FromMinutes(179), TimeSpan.FromHours(3));
    }

    [Fact]
    public async Task Clock_SetForwardAndBackAgain_IsFollowedEachTime()
    {
        using var folder = new TestFolder();
        await using var stores = await OpenAsync(folder["bus.db"], time: time);
        for (var i = 0; i < 3; i++)
        {
            await stores.Delays.ClaimDueAsync(Time, Lease, 10, Token);
            await stores.Delays.AddAsync(Event($"{i}"), Time + Minute, Token);
            time.Set(-TimeSpan.FromHours(1));
            await stores.Delays.ClaimDueAsync(Time, Lease, 10, Token);

            var due = await stores.Delays.ClaimDueAsync(Time + Minute, Lease, 10, Token);
            Assert.Equal($"{i}", Assert.Single(due.Entries).EventId);
            await stores.Delays.RemoveAsync(due.Entries[0], Token);
            time.Set(TimeSpan.FromHours(1));
        }
    }

    /// <summary>The system's clock, set by a test.</summary>
    private sealed class SettableTime : TimeProvider
    {
        private long offset;

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + TimeSpan.FromTicks(Interlocked.Read(ref offset));

        public void Set(TimeSpan span) => Interlocked.Add(ref offset, span.Ticks);
    }
}
