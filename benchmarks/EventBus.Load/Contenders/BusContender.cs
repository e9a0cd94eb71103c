using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Load;

/// <summary>Measures the bus, with a singleton handler for each subscription.</summary>
internal sealed class BusContender : Contender
{
    /// <summary>
    /// The concurrency of a subscription over a broker. The transports hold four times as many unsettled events, as the
    /// raw clients do.
    /// </summary>
    private const int Concurrency = 64;

    // More than a measurement publishes.
    private const int StoreCapacity = 10_000_000;

    private readonly Arena arena;
    private readonly bool isIdempotent;
    private IHost host;
    private IEventBus bus;

    private BusContender(Arena arena, bool isIdempotent)
    {
        (this.arena, this.isIdempotent) = (arena, isIdempotent);
        (host, bus) = Make();
    }

    public static async Task<Contender> StartAsync(Arena arena, bool isIdempotent = false)
    {
        var contender = new BusContender(arena, isIdempotent);
        await contender.host.StartAsync();
        return contender;
    }

    public override async Task ResetAsync()
    {
        if (isIdempotent)
        {
            await DisposeAsync();
            (host, bus) = Make();
            await host.StartAsync();
        }
    }

    public override ValueTask PublishAsync(OrderPlaced @event) => new(bus.PublishAsync(@event));

    public override Task PublishManyAsync(IReadOnlyList<OrderPlaced> events) => bus.PublishManyAsync(events);

    public override async ValueTask DisposeAsync()
    {
        await host.StopAsync();
        host.Dispose();
    }

    private (IHost Host, IEventBus Bus) Make()
    {
        var made = Workload.Host(builder => builder.Services.AddEventBus(Configure));
        return (made, made.Services.GetRequiredService<IEventBus>());
    }

    private void Configure(EventBusBuilder bus)
    {
        bus.Configure(options => options.ServiceName = "load");
        bus = arena.Transport switch
        {
            Transport.RabbitMq => bus.UseRabbitMq(arena.Address),
            Transport.RabbitMqClassic => bus.UseRabbitMq(arena.Address, options => options.QueueType = RabbitMqQueueType.Classic),
            Transport.RedisStreams => bus.UseRedis(arena.Address),
            Transport.RedisPubSub => bus.UseRedisPubSub(arena.Address),
            Transport.Kafka => bus.UseKafka(arena.Address, options => options.Partitions = arena.CreatedPartitions)
                .StoreInMemory(options => options.StoreCapacity = StoreCapacity),
            _ => bus.UseInMemory(options => (options.Capacity, options.StoreCapacity) = (arena.Capacity, StoreCapacity)),
        };
        if (arena.Keys > 0)
        {
            bus.Event<OrderPlaced>().KeyedBy(e => e.UserId);
        }

        for (var i = 0; i < arena.Subscriptions; i++)
        {
            bus.Subscribe(Arena.SubscriptionName(i), subscription =>
            {
                subscription.On<OrderPlaced>(OnAsync);
                if (isIdempotent)
                {
                    subscription.Idempotent();
                }

                if (arena.Keys > 0)
                {
                    subscription.Ordered().Concurrency(Arena.Partitions);
                }
                else if (arena.Transport != Transport.Memory)
                {
                    subscription.Concurrency(Concurrency);
                }
            });
        }
    }

    private Task OnAsync(OrderPlaced e, EventContext context, CancellationToken cancellationToken)
    {
        Handle(e);
        return Task.CompletedTask;
    }
}
