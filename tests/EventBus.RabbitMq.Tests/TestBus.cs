using System.Threading.Channels;
using EventBus.Conformance;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus.RabbitMq.Tests;

/// <summary>An application on the real broker, and the events that its handlers received.</summary>
internal sealed class TestBus : IAsyncDisposable
{
    private readonly IHost host;

    private TestBus(IHost host) => this.host = host;

    public IServiceProvider Services => host.Services;

    public IEventBus Bus => host.Services.GetRequiredService<IEventBus>();

    public IDeadLetters DeadLetters => host.Services.GetRequiredService<IDeadLetters>();

    public static Task<TestBus> StartAsync(string name, Uri? uri, Action<EventBusBuilder> configure) => StartAsync(name, bus =>
    {
        bus.UseRabbitMq((uri ?? TestBroker.Uri).AbsoluteUri, options => options.Exchange = name).StoreInMemory();
        configure(bus);
    });

    /// <summary>Starts an application that configures its own backend.</summary>
    public static async Task<TestBus> StartAsync(string name, Action<EventBusBuilder> configure)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(Canary.Log);
        builder.Services.AddHealthChecks();
        builder.Services.AddEventBus(bus =>
        {
            bus.Configure(options => (options.ServiceName, options.DrainTimeout) = (name, TimeSpan.FromSeconds(3)));
            configure(bus);
        });
        var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        return new TestBus(host);
    }

    /// <summary>Publishes an event repeatedly until the broker has accepted it.</summary>
    public async Task PublishUntilAcceptedAsync(TestHappened happened, TimeSpan? deadline = null, PublishOptions? options = null)
    {
        PublishException? last = null;
        await Until.TrueAsync(
            () => $"the event is accepted: {last}",
            deadline ?? Until.Patience,
            async () =>
            {
                try
                {
                    await Bus.PublishAsync(happened, options ?? new PublishOptions(), TestContext.Current.CancellationToken);
                    return true;
                }
                catch (PublishException exception)
                {
                    last = exception;
                    return false;
                }
            },
            TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await host.StopAsync();
        host.Dispose();
    }
}
