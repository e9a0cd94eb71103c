using System.Reflection;
using EventBus.Transports;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace EventBus.RabbitMq.Tests;

/// <summary>Tests how many channels the backlog needs, which the metrics read every ten seconds.</summary>
public sealed class QueueLookupTests
{
    private readonly IConnection client = DispatchProxy.Create<IConnection, ScriptedConnection>();
    private readonly SubscriptionQueues queues = new(new RabbitMqTopology("shop", new RabbitMqOptions()));

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

    private Task<IReadOnlyList<SubscriptionBacklog>> ReadAsync(int subscriptions) => queues.ReadBacklogAsync(
        new ConnectionSession(client, 1, TestBroker.Patience, onBlocked: _ => { }, TimeProvider.System)
        {
            Traffic = new ConnectionTraffic(),
        },
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
                return targetMethod.ReturnType == typeof(bool) ? true : null;
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
