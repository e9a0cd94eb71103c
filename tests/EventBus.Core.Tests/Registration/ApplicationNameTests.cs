using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus;

/// <summary>The host chooses the name of the application, and backends make names of it.</summary>
public sealed class ApplicationNameTests
{
    [Fact]
    public async Task ApplicationName_WithCharactersThatNoBackendTakes_MakesANameOfItsOwn()
    {
        string[] applications = ["Shop-Web", "Shop Web", "Shop/Web", "Shop:Web", "Shop{Web}", "Shöp-Web", "Shop\nWeb", new string('s', 200), new string('s', 201)];

        var names = new List<string>();
        foreach (var application in applications)
        {
            names.Add(await ServiceNameOfAsync(application));
        }

        Assert.Equal("Shop-Web", names[0]);
        Assert.Equal(applications.Length, names.Distinct(StringComparer.Ordinal).Count());
        Assert.All(names, name => Assert.Matches("^[A-Za-z0-9._-]{1,100}$", name));
        Assert.Equal(names[1], await ServiceNameOfAsync(applications[1]));
    }

    private static async Task<string> ServiceNameOfAsync(string application)
    {
        var transport = new NamedTransport();
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { ApplicationName = application });
        builder.Services.AddEventBus(bus => bus.UseTransport("UseNamed()", _ => transport));
        using var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        await host.StopAsync(TestContext.Current.CancellationToken);
        return transport.ServiceName;
    }

    private sealed class NamedTransport : Transport
    {
        public string ServiceName { get; private set; } = "";

        public override TransportFeatures Features { get; } = new() { System = "named" };

        public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken)
        {
            ServiceName = topology.ServiceName;
            return ValueTask.CompletedTask;
        }

        public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline) => ValueTask.CompletedTask;

        public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) => throw new InvalidOperationException("never subscribed");

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
