using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus;

/// <summary>Shows which application names are accepted, and how backends derive names from them.</summary>
public sealed class ApplicationNameTests
{
    [Fact]
    public async Task ApplicationName_WithUnsupportedCharacters_BecomesAUniqueName()
    {
        string[] applications = [
            "Shop-Web",
            "Shop Web",
            "Shop/Web",
            "Shop:Web",
            "Shop{Web}",
            "Shöp-Web",
            "Shop\nWeb",
            new string('s', 100)
        ];

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

    [Theory]
    [InlineData('s', "101 bytes")]
    [InlineData('ö', "202 bytes")]
    public async Task ApplicationName_TooLong_IsAnErrorThatNamesBytesAndLimit(char letter, string bytes)
    {
        var error = await Assert.ThrowsAsync<EventBusConfigurationException>(() => ServiceNameOfAsync(new string(letter, 101)));

        var problem = Assert.Single(error.Problems);
        Assert.Contains($"has 101 characters ({bytes}); 100 are allowed", problem, StringComparison.Ordinal);
        Assert.Contains("EventBusOptions.ServiceName", problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Key_OfABus_BecomesAUniqueServiceName()
    {
        string?[] keys = [
            null,
            "billing",
            "Billing.x",
            ".billing",
            "-billing",
            "billing+",
            "a+b",
            "a b",
            "a\tb",
            "a:b",
            "a.b",
            "a-b",
            "{a}",
            "\ud800",
            "\ud801",
            "\ufffd",
            new string('k', 100),
            new string('k', 101),
            new string('k', 102)
        ];

        var names = new List<string>();
        foreach (var key in keys)
        {
            names.Add(await ServiceNameOfAsync("shop", key));
        }

        Assert.Equal(["shop", "shop+billing"], names.Take(2));
        Assert.Equal(keys.Length, names.Distinct(StringComparer.Ordinal).Count());

        // The name of a service contains no plus sign, and a hashed key has a second one.
        Assert.All(names.Skip(1), name => Assert.Matches(@"^shop\+[A-Za-z0-9._-]{1,100}(\+[0-9a-f]{32})?$", name));
        Assert.Equal(names[7], await ServiceNameOfAsync("shop", keys[7]));
        Assert.DoesNotContain(await ServiceNameOfAsync("shop+billing"), names);
        foreach (var hashed in names.Skip(1)
            .Select(name => name["shop+".Length..])
            .Where(name => name.Contains('+', StringComparison.Ordinal)))
        {
            Assert.DoesNotContain(await ServiceNameOfAsync("shop", hashed), names);
        }
    }

    private static async Task<string> ServiceNameOfAsync(string application, string? key = null)
    {
        var transport = new NamedTransport();
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { ApplicationName = application });
        if (key is null)
        {
            builder.Services.AddEventBus(bus => bus.UseTransport("UseNamed()", _ => transport));
        }
        else
        {
            builder.Services.AddKeyedEventBus(key, bus => bus.UseTransport("UseNamed()", _ => transport));
        }

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

        public override ValueTask PublishAsync(
            ReadOnlyMemory<Envelope> batch,
            Memory<PublishOutcome> outcomes,
            CancellationToken deadline) => ValueTask.CompletedTask;

        public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("never subscribed");

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
