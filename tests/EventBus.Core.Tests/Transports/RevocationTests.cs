using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Tests the bus on a log whose partitions change their owner while handlers run.</summary>
public sealed class RevocationTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Revocation_WhileAHandlerRuns_CancelsItAndTheNextOwnerContinuesInOrder()
    {
        var log = new ScriptedLog(1);
        var journal = new Journal();
        await using var first = await Owner.StartAsync(log, "first", journal, ordered: true, hold: "first 2");
        await using var second = await Owner.StartAsync(log, "second", journal, ordered: true);
        log.Assign(0, first.Connection);
        await PublishAsync(first, 6);
        await journal.HasAsync("first 2 begins");

        log.Assign(0, second.Connection);

        await journal.HasAsync("first 2 is cancelled");
        await log.Commits.HasAsync("0:6");
        await first.Running.StopAsync();
        Assert.Equal(
            ["second 2", "second 3", "second 4", "second 5"],
            journal.Items.Where(item => item.StartsWith("second", StringComparison.Ordinal) && !item.EndsWith('s')));
        Assert.DoesNotContain("first 3", journal.Items);
        Assert.Equal(0, log.LateAcks);
        AssertNothingFailed(first, second);
    }

    [Fact]
    public async Task Revocation_BehindAGap_RedeliversFromTheCommittedOffset()
    {
        var log = new ScriptedLog(1);
        var journal = new Journal();
        await using var first = await Owner.StartAsync(log, "first", journal, ordered: false, hold: "first 1");
        await using var second = await Owner.StartAsync(log, "second", journal, ordered: false);
        log.Assign(0, first.Connection);
        await PublishAsync(first, 4);
        await journal.UntilAsync(
            items => items.Contains("first 3") && items.Contains("first 1 begins") && items.Contains("first 2"),
            "all but the held event are handled");
        await log.Commits.UntilAsync(items => items.Count == 3, "three acknowledgements");
        Assert.Equal(1, log.Committed(0));

        log.Assign(0, second.Connection);

        await log.Commits.HasAsync("0:4");
        Assert.Equal(
            ["second 1", "second 2", "second 3"],
            journal.Items.Where(item => item is "second 1" or "second 2" or "second 3").Order(StringComparer.Ordinal));
        Assert.Equal(0, log.LateAcks);
        AssertNothingFailed(first, second);
    }

    [Fact]
    public async Task Revocation_OfBufferedEvents_StartsNoHandler()
    {
        var log = new ScriptedLog(1);
        var journal = new Journal();
        await using var first = await Owner.StartAsync(log, "first", journal, ordered: false, hold: "first 0", concurrency: 1);
        await using var second = await Owner.StartAsync(log, "second", journal, ordered: false);
        log.Assign(0, first.Connection);
        await PublishAsync(first, 5);
        await journal.HasAsync("first 0 begins");

        log.Assign(0, second.Connection);

        await journal.HasAsync("first 0 is cancelled");
        await log.Commits.HasAsync("0:5");
        await first.Running.StopAsync();
        Assert.Equal(
            ["first 0 begins", "first 0 is cancelled"],
            journal.Items.Where(item => item.StartsWith("first", StringComparison.Ordinal)));
        AssertNothingFailed(first, second);
    }

    [Fact]
    public async Task Revocation_HandlerSucceedsAnyway_AcknowledgesNothing()
    {
        var log = new ScriptedLog(1);
        var journal = new Journal();
        var released = new TaskCompletionSource();
        await using var first = await Owner.StartAsync(log, "first", journal, ordered: true, hold: "first 0", released: released.Task);
        await using var second = await Owner.StartAsync(log, "second", journal, ordered: true);
        log.Assign(0, first.Connection);
        await PublishAsync(first, 1);
        await journal.HasAsync("first 0 begins");

        log.Assign(0, second.Connection);
        released.SetResult();

        await journal.UntilAsync(items => items.Contains("first 0") && items.Contains("second 0"), "both have handled the event");
        await first.Running.StopAsync();
        await log.Commits.HasAsync("0:1");
        Assert.Equal(0, log.LateAcks);
        AssertNothingFailed(first, second);
    }

    [Fact]
    public async Task Revocation_AndReturnToTheSameOwner_KeepsTheOrderInTheNewEpoch()
    {
        var log = new ScriptedLog(1);
        var journal = new Journal();
        await using var owner = await Owner.StartAsync(log, "one", journal, ordered: true, hold: "one 1");
        log.Assign(0, owner.Connection);
        await PublishAsync(owner, 6);
        await journal.HasAsync("one 1 begins");

        log.Assign(0, owner.Connection);

        await log.Commits.HasAsync("0:6");
        Assert.Equal(["one 0", "one 1", "one 2", "one 3", "one 4", "one 5"], journal.Items.Where(item => item.Length == "one 0".Length));
        Assert.Equal(0, log.LateAcks);
        AssertNothingFailed(owner);
    }

    [Fact]
    public async Task Revocation_OfOnePartition_DoesNotAffectTheOthers()
    {
        var log = new ScriptedLog(2);
        var journal = new Journal();
        await using var first = await Owner.StartAsync(log, "first", journal, ordered: true);
        await using var second = await Owner.StartAsync(log, "second", journal, ordered: true);
        log.Assign(0, first.Connection);
        log.Assign(1, first.Connection);
        var (left, right) = (log.PartitionOf("a") == 0 ? "a" : "b", log.PartitionOf("a") == 0 ? "b" : "a");
        await PublishAsync(first, 3, left);
        await PublishAsync(first, 3, right);
        await log.Commits.UntilAsync(items => items.Contains("0:3") && items.Contains("1:3"), "both partitions are handled");

        log.Assign(1, second.Connection);
        await PublishAsync(second, 2, left);
        await PublishAsync(second, 2, right);

        await log.Commits.UntilAsync(items => items.Contains("0:5") && items.Contains("1:5"), "both partitions go on");
        Assert.Equal(2, journal.Items.Count(item => item.StartsWith("second", StringComparison.Ordinal)));
        Assert.Equal(8, journal.Items.Count(item => item.StartsWith("first", StringComparison.Ordinal)));
        AssertNothingFailed(first, second);
    }

    private static async Task PublishAsync(Owner owner, int count, string key = "key")
    {
        for (var i = 0; i < count; i++)
        {
            await owner.Running.Bus.PublishAsync(new OrderPlaced($"{i}"), new PublishOptions { Key = key }, Token);
        }
    }

    /// <summary>Asserts that no retry was planned and no dead letter written: both are logged.</summary>
    private static void AssertNothingFailed(params Owner[] owners) =>
        Assert.DoesNotContain(owners.SelectMany(owner => owner.Logs.Entries), entry => entry.Level > LogLevel.Information);

    /// <summary>An application that consumes the log.</summary>
    private sealed class Owner : IAsyncDisposable
    {
        public required ScriptedLog.Connection Connection { get; init; }

        public required RunningBus Running { get; init; }

        public required LogMemory Logs { get; init; }

        public static async Task<Owner> StartAsync(
            ScriptedLog log,
            string name,
            Journal journal,
            bool ordered,
            string? hold = null,
            int concurrency = 16,
            Task? released = null)
        {
            var (connection, logs) = (log.Connect(), new LogMemory());
            var running = await RunningBus.StartAsync(
                bus => bus.UseTransport("Scripted()", _ => connection)
                    .StoreInMemory()
                    .Subscribe("sub", s => (ordered ? s.Ordered() : s).Concurrency(concurrency).On<OrderPlaced>(async (e, _, token) =>
                    {
                        var item = $"{name} {e.OrderId}";
                        if (item == hold)
                        {
                            hold = null;
                            await HoldAsync(item, token);
                        }

                        journal.Add(item);
                    })),
                services: services => services.AddSingleton<ILoggerProvider>(logs));
            return new Owner { Connection = connection, Running = running, Logs = logs };

            async Task HoldAsync(string item, CancellationToken token)
            {
                journal.Add($"{item} begins");
                try
                {
                    await (released ?? new TaskCompletionSource().Task.WaitAsync(token));
                }
                catch (OperationCanceledException)
                {
                    journal.Add($"{item} is cancelled");
                    throw;
                }
            }
        }

        public async ValueTask DisposeAsync()
        {
            await Running.DisposeAsync();
            Logs.Dispose();
        }
    }
}
