using EventBus.Stores;
using RabbitMQ.Client.Exceptions;

namespace EventBus.RabbitMq.Tests;

public sealed partial class FailureQueueTests
{
    [Fact]
    public async Task Counts_OfTheQueues_AreKnownForAllSubscriptionsTogether()
    {
        await using var stores = await OpenStoresAsync("one", "two");
        await ExpectCountsAsync(stores, waiting: 0, dead: 0);
        await stores.Failures.RecordAsync(Failed("one", "first"), Cancel);
        await stores.Failures.RecordAsync(Failed("two", "second"), Cancel);
        await stores.Failures.RecordAsync(Failed("two", "third") with { Status = FailedEventStatus.Dead }, Cancel);
        await ExpectCountsAsync(stores, waiting: 2, dead: 1);

        // A claimed entry of this instance still counts.
        var claimed = Assert.Single((await ClaimAsync(stores, "one")).Entries);
        await ExpectCountsAsync(stores, waiting: 2, dead: 1);
        await stores.Failures.CompleteAsync(claimed, Cancel);
        await ExpectCountsAsync(stores, waiting: 1, dead: 1);
    }

    [Fact]
    public async Task Counts_QueueIsMissing_AreNotKnownAndCreateNoQueue()
    {
        await using var stores = await OpenStoresAsync("one");
        await using (var connection = await ConnectAsync())
        await using (var channel = await connection.CreateChannelAsync(cancellationToken: Cancel))
        {
            await channel.QueueDeleteAsync($"{name}.dead-letters", ifUnused: false, ifEmpty: false, cancellationToken: Cancel);
        }

        for (var i = 0; i < 2; i++)
        {
            var counts = Assert.Single(await stores.Failures.CountByStateAsync(Cancel) ?? []);
            Assert.Equal((0, null), (counts.Waiting, counts.Dead));
        }
    }

    [Fact]
    public async Task Counts_OfAnInstanceThatOnlyPublishes_AreNotKnownAndCreateNoQueue()
    {
        await using var stores = await OpenStoresAsync();

        Assert.Null(await stores.Failures.CountByStateAsync(Cancel));

        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        var missing = await Assert.ThrowsAsync<OperationInterruptedException>(
            () => channel.QueueDeclarePassiveAsync($"{name}.dead-letters", Cancel));
        Assert.True(RabbitMqErrors.IsMissing(missing));
    }

    private static Task ExpectCountsAsync(OpenStores stores, long waiting, long dead) => Until.TrueAsync(
        $"{waiting} entries wait and {dead} are dead letters",
        async () => await stores.Failures.CountByStateAsync(Cancel) is [{ Subscription: null, Parked: null } counts]
            && (counts.Waiting, counts.Dead) == (waiting, dead),
        Cancel);
}
