using Rebus.Activation;
using Rebus.Backoff;
using Rebus.Bus;
using Rebus.Config;
using Rebus.Transport;
using Rebus.Transport.InMem;

namespace EventBus.Load;

/// <summary>
/// Measures Rebus with a bus, a queue and a handler for each subscription in one network in memory, and a bus that only
/// publishes.
/// By default: its worker, parallelism and backoff. Tuned: the workers and the parallelism of its wiki's page "Workers
/// and parallelism"
/// for asynchronous work, and waits of a millisecond when idle (page "Back off strategy"). A publish serializes the
/// event; System.Text.Json is its default.
/// </summary>
internal sealed class RebusContender : Contender
{
    private readonly BuiltinHandlerActivator[] subscribers;
    private readonly BuiltinHandlerActivator publisher = new();

    private RebusContender(Arena arena) =>
        subscribers = [.. Enumerable.Range(0, arena.Subscriptions).Select(_ => new BuiltinHandlerActivator())];

    public static async Task<Contender> StartAsync(Arena arena, bool tuned = false)
    {
        var contender = new RebusContender(arena);
        await contender.StartAsync(tuned);
        return contender;
    }

    public override ValueTask PublishAsync(OrderPlaced @event) => new(publisher.Bus.Publish(@event));

    /// <summary>Publishes the list in one transaction, as the library documents it.</summary>
    public override async Task PublishManyAsync(IReadOnlyList<OrderPlaced> events)
    {
        using var scope = new RebusTransactionScope();
        foreach (var @event in events)
        {
            await publisher.Bus.Publish(@event);
        }

        await scope.CompleteAsync();
    }

    public override ValueTask DisposeAsync()
    {
        // Disposing waits for the workers, each on the caller's thread: in parallel it takes as long as one.
        Parallel.ForEach([publisher, .. subscribers], activator => activator.Dispose());
        return ValueTask.CompletedTask;
    }

    private async Task StartAsync(bool tuned)
    {
        var network = new InMemNetwork();
        Configure.With(publisher)
            .Logging(log => log.None())
            .Transport(transport => transport.UseInMemoryTransportAsOneWayClient(network))
            .Start();
        for (var i = 0; i < subscribers.Length; i++)
        {
            var queue = Arena.SubscriptionName(i);
            subscribers[i].Handle<OrderPlaced>(@event =>
            {
                Handle(@event);
                return Task.CompletedTask;
            });
            var bus = Configure.With(subscribers[i])
                .Logging(log => log.None())
                .Transport(transport => transport.UseInMemoryTransport(network, queue))
                .Options(options => Tune(options, tuned))
                .Start();
            await bus.Subscribe<OrderPlaced>();
        }
    }

    private static void Tune(OptionsConfigurer options, bool tuned)
    {
        if (tuned)
        {
            options.SetNumberOfWorkers(2);
            options.SetMaxParallelism(20);
            options.SetBackoffTimes(TimeSpan.FromMilliseconds(1));
        }
    }
}
