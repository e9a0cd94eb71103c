using JasperFx.CodeGeneration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Wolverine;
using Wolverine.RabbitMQ;
using Wolverine.RabbitMQ.Internal;

namespace EventBus.Load;

/// <summary>
/// Measures Wolverine with separated handlers: each has its own queue, as its page "Message Handlers" recommends for
/// independent subscriptions.
/// By default: nothing else is set. Tuned: see <see cref="WolverineTuning"/>.
/// </summary>
internal sealed class WolverineContender : Contender
{
    private readonly IHost host;
    private readonly IMessageBus bus;

    private WolverineContender(Arena arena, string name, bool tuned)
    {
        host = Workload.Host(builder => builder.UseWolverine(options =>
        {
            options.ServiceName = name;
            options.ApplicationAssembly = typeof(WolverineContender).Assembly;
            options.MultipleHandlerBehavior = MultipleHandlerBehavior.Separated;
            options.Services.AddSingleton(new WolverineSink(@event => Handle(@event)));
            options.Discovery.DisableConventionalDiscovery();
            foreach (var handler in WolverineHandlers.First(arena.Subscriptions))
            {
                options.Discovery.IncludeType(handler);
            }

            if (arena.Transport == Transport.Memory)
            {
                ConfigureLocal(options, tuned);
            }
            else if (arena.Transport == Transport.Kafka)
            {
                WolverineOverKafka.Configure(options, arena, name, tuned);
            }
            else
            {
                ConfigureRabbitMq(options, arena, name, tuned);
            }
        }));
        bus = host.MessageBus();
    }

    public static async Task<Contender> StartAsync(Arena arena, string name, bool tuned = false)
    {
        var contender = new WolverineContender(arena, name, tuned);
        await contender.host.StartAsync();
        return contender;
    }

    public override ValueTask PublishAsync(OrderPlaced @event) => bus.PublishAsync(@event);

    public override async ValueTask DisposeAsync()
    {
        await host.StopAsync();
        await ((IAsyncDisposable)host).DisposeAsync();
    }

    private static void ConfigureLocal(WolverineOptions options, bool tuned)
    {
        if (tuned)
        {
            options.Policies.AllLocalQueues(WolverineTuning.Local);
        }
    }

    private static void ConfigureRabbitMq(WolverineOptions options, Arena arena, string name, bool tuned)
    {
        var exchange = $"{name}.orders";
        var server = options.UseRabbitMq(new Uri(arena.Address)).AutoProvision();
        server.DeclareExchange(exchange);
        var publishing = options.PublishMessage<OrderPlaced>().ToRabbitExchange(exchange);
        if (tuned)
        {
            WolverineTuning.Confirmed(server);
            WolverineTuning.Publisher(publishing);
        }

        var handlers = WolverineHandlers.First(arena.Subscriptions);
        for (var i = 0; i < handlers.Count; i++)
        {
            var queue = $"{name}.{Arena.SubscriptionName(i)}";
            server.BindExchange(exchange, ExchangeType.Fanout).ToQueue(queue);
            var listener = options.ListenToRabbitQueue(queue, q => q.QueueType = QueueType.quorum).AddStickyHandler(handlers[i]);
            if (tuned)
            {
                WolverineTuning.Listener(listener);
            }
        }
    }
}
