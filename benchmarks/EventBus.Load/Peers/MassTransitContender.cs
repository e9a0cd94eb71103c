using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using IHost = Microsoft.Extensions.Hosting.IHost;

namespace EventBus.Load;

/// <summary>
/// Measures MassTransit with a receive endpoint and a handler for each subscription: no scope is made for a message, as
/// it would be for a consumer.
/// By default only the queue type and the names are set. Tuned: prefetch and concurrency of its page "Configuration",
/// section "Receive Endpoints".
/// In memory only the concurrency, near the number of cores: there a message costs the more, the larger the prefetch
/// is.
/// </summary>
internal sealed class MassTransitContender : Contender
{
    /// <summary>Tuned: the number of messages that an endpoint holds and handles at once.</summary>
    private const int Prefetch = 256;
    private const int Concurrency = 64;
    private const int ConcurrencyInMemory = 4;

    private readonly string name;
    private readonly IHost host;
    private readonly IBus bus;

    private MassTransitContender(Arena arena, string name, bool tuned)
    {
        this.name = name;
        host = Workload.Host(builder =>
        {
            builder.Services.AddMassTransit(registration =>
            {
                // No telemetry.
                registration.DisableUsageTelemetry();
                if (arena.Transport == Transport.Memory)
                {
                    registration.UsingInMemory((_, bus) => ConfigureInMemory(bus, arena, tuned));
                }
                else
                {
                    registration.UsingRabbitMq((_, bus) => ConfigureRabbitMq(bus, arena, tuned));
                }
            });
            builder.Services.Configure<MassTransitHostOptions>(options => options.WaitUntilStarted = true);
        });
        bus = host.Services.GetRequiredService<IBus>();
    }

    public static async Task<Contender> StartAsync(Arena arena, string name, bool tuned = false)
    {
        var contender = new MassTransitContender(arena, name, tuned);
        await contender.host.StartAsync();
        return contender;
    }

    public override ValueTask PublishAsync(OrderPlaced @event) => new(bus.Publish(@event));

    /// <summary>Uses the library's call for a list: all events are sent at once, and awaited together.</summary>
    public override Task PublishManyAsync(IReadOnlyList<OrderPlaced> events) => bus.PublishBatch(events);

    public override async ValueTask DisposeAsync()
    {
        await host.StopAsync();
        await ((IAsyncDisposable)host).DisposeAsync();
    }

    private void ConfigureInMemory(IInMemoryBusFactoryConfigurator bus, Arena arena, bool tuned)
    {
        if (tuned)
        {
            bus.ConcurrentMessageLimit = ConcurrencyInMemory;
        }

        for (var i = 0; i < arena.Subscriptions; i++)
        {
            bus.ReceiveEndpoint(Queue(i), Subscribe);
        }
    }

    private void ConfigureRabbitMq(IRabbitMqBusFactoryConfigurator bus, Arena arena, bool tuned)
    {
        var address = new Uri(arena.Address);
        var login = address.UserInfo.Split(':', 2);
        bus.Host(address.Host, (ushort)address.Port, "/", host =>
        {
            host.Username(Uri.UnescapeDataString(login[0]));
            host.Password(Uri.UnescapeDataString(login[1]));
        });
        if (tuned)
        {
            bus.PrefetchCount = Prefetch;
            bus.ConcurrentMessageLimit = Concurrency;
        }

        // Otherwise every contender on a server would get the events of the others.
        bus.Message<OrderPlaced>(message => message.SetEntityName($"{name}.orders"));
        for (var i = 0; i < arena.Subscriptions; i++)
        {
            bus.ReceiveEndpoint(Queue(i), endpoint =>
            {
                endpoint.SetQuorumQueue();
                Subscribe(endpoint);
            });
        }
    }

    private string Queue(int number) => $"{name}.{Arena.SubscriptionName(number)}";

    private void Subscribe(IReceiveEndpointConfigurator endpoint) => endpoint.Handler<OrderPlaced>(context =>
    {
        Handle(context.Message);
        return Task.CompletedTask;
    });
}
