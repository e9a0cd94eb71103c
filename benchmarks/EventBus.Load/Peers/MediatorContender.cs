using Mediator;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Load;

/// <summary>
/// Measures Mediator: a publish calls the handlers one after the other on the publisher's thread, without a queue. A
/// reference, not a competitor.
/// By default: singletons, and the publisher that awaits each handler; called on the generated class, without an
/// interface.
/// </summary>
internal sealed class MediatorContender : Contender
{
    private readonly bool isOne;
    private readonly IHost host;
    private readonly Mediator.Mediator mediator;

    private MediatorContender(Arena arena)
    {
        isOne = arena.Subscriptions == 1;
        host = Workload.Host(builder => builder.Services
            .AddSingleton<Contender>(this)
            .AddMediator(static (MediatorOptions options) => options.ServiceLifetime = ServiceLifetime.Singleton));
        mediator = host.Services.GetRequiredService<Mediator.Mediator>();
    }

    public static Task<Contender> StartAsync(Arena arena) => arena.Subscriptions is 1 or 5
        ? Task.FromResult<Contender>(new MediatorContender(arena))
        : throw new ArgumentOutOfRangeException(
            nameof(arena),
            arena.Subscriptions,
            "The handlers of Mediator are known when it is compiled: one or five.");

    public override ValueTask PublishAsync(OrderPlaced @event) => isOne
        ? mediator.Publish(new PlacedForOne(@event))
        : mediator.Publish(new PlacedForFive(@event));

    public override ValueTask DisposeAsync()
    {
        host.Dispose();
        return ValueTask.CompletedTask;
    }
}
