using System.Reflection;
using EventBus.Transports;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace EventBus.RabbitMq.Tests;

/// <summary>
/// Tests how many channels are opened for the backlog, which the metrics read every ten seconds, and for the numbers of
/// consumers, which are read every five.
/// </summary>
public sealed class QueueLookupTests
{
    private readonly IConnection client = DispatchProxy.Create<IConnection, ScriptedConnection>();
    private readonly SubscriptionQueues queues = new(new RabbitMqTopology("shop", new RabbitMqOptions()));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private ScriptedConnection Script => (ScriptedConnection)(object)client;

    [Fact]
    public async Task Backlog_OfManySubscriptions_NeedsOneChannel()
    {
        var backlogs = await ReadAsync(20);

        Assert.Equal(Enumerable.Range(0, 20).Select(number => $"s{number}"), backlogs.Select(each => each.Subscription));
        Assert.All(backlogs, each => Assert.Equal((7, 2), (each.Waiting, each.Consumers)));
        Assert.True(Assert.Single(Script.Channels).IsClosed);
    }

    [Fact]
    public async Task Backlog_OneQueueIsMissing_ContainsTheOthers()
    {
        Script.Missing = "shop:s1";

        var backlogs = await ReadAsync(4);

        Assert.Equal(["s0", "s2", "s3"], backlogs.Select(each => each.Subscription));
        Assert.Equal(2, Script.Channels.Count);
        Assert.All(Script.Channels, channel => Assert.True(channel.IsClosed));
    }

    [Fact]
    public async Task Backlog_MissingQueueIsTheLast_OpensNoFurtherChannel()
    {
        Script.Missing = "shop:s3";

        Assert.Equal(3, (await ReadAsync(4)).Count);
        Assert.Single(Script.Channels);
    }

    [Fact]
    public async Task SharedLookup_OfManyQueuesAndPasses_NeedsOneChannel()
    {
        var session = Session();
        using var lookup = new SharedQueueLookup(_ => Task.FromResult(session));

        for (var i = 0; i < 40; i++)
        {
            Assert.Equal(2u, (await lookup.FindAsync($"shop:s{i % 20}", Token))!.Value.State.ConsumerCount);
        }

        Assert.False(Assert.Single(Script.Channels).IsClosed);
    }

    [Fact]
    public async Task SharedLookup_QueueIsMissing_ContinuesOnAnotherChannel()
    {
        Script.Missing = "shop:s1";
        var session = Session();
        using var lookup = new SharedQueueLookup(_ => Task.FromResult(session));

        Assert.Null(await lookup.FindAsync("shop:s1", Token));
        Assert.NotNull(await lookup.FindAsync("shop:s2", Token));

        Assert.Equal([true, false], Script.Channels.Select(channel => channel.IsClosed));
    }

    [Fact]
    public async Task SharedLookup_ConnectionIsReplaced_ContinuesOnTheNewOne()
    {
        var session = Session();
        using var lookup = new SharedQueueLookup(_ => Task.FromResult(session));
        await lookup.FindAsync("shop:s1", Token);

        session = Session();
        Assert.NotNull(await lookup.FindAsync("shop:s1", Token));

        Assert.Equal([true, false], Script.Channels.Select(channel => channel.IsClosed));
    }

    private ConnectionSession Session() => new(client, 1, TestBroker.Patience, onBlocked: _ => { }, TimeProvider.System)
    {
        Traffic = new ConnectionTraffic(),
    };

    private Task<IReadOnlyList<SubscriptionBacklog>> ReadAsync(int subscriptions) => queues.ReadBacklogAsync(
        Session(),
        Enumerable.Range(0, subscriptions).Select(number => new Subscription($"s{number}", [EventPattern.Parse("test.#")])),
        RabbitMqQueueType.Quorum);

    /// <summary>A connection whose channels answer from a script.</summary>
    public class ScriptedConnection : DispatchProxy
    {
        public string? Missing { get; set; }

        public List<ScriptedChannel> Channels { get; } = [];

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            if (targetMethod!.Name != nameof(IConnection.CreateChannelAsync))
            {
                return targetMethod.ReturnType == typeof(bool) ? true
                    : targetMethod.ReturnType == typeof(TimeSpan) ? TimeSpan.FromSeconds(10)
                    : null;
            }

            var channel = DispatchProxy.Create<IChannel, ScriptedChannel>();
            Channels.Add((ScriptedChannel)(object)channel);
            Channels[^1].Missing = Missing;
            return Task.FromResult(channel);
        }
    }

    /// <summary>A channel on which each queue but one has seven messages and two consumers.</summary>
    public class ScriptedChannel : DispatchProxy
    {
        public string? Missing { get; set; }

        public bool IsClosed { get; private set; }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            switch (targetMethod!.Name)
            {
                case nameof(IChannel.QueueDeclarePassiveAsync):
                    var queue = (string)args![0]!;
                    return queue == Missing
                        ? Task.FromException<QueueDeclareOk>(
                            new OperationInterruptedException(new ShutdownEventArgs(ShutdownInitiator.Peer, 404, "NOT_FOUND")))
                        : Task.FromResult(new QueueDeclareOk(queue, 7, 2));
                case nameof(IChannel.CloseAsync):
                    IsClosed = true;
                    return Task.CompletedTask;
                default:
                    return targetMethod.ReturnType == typeof(ValueTask) ? ValueTask.CompletedTask : null;
            }
        }
    }
}
