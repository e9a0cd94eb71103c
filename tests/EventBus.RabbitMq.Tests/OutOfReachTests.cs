using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus.RabbitMq.Tests;

/// <summary>
/// Shows that each text about a broker that is out of reach names its address and the cause, and no password.
/// </summary>
public sealed class OutOfReachTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Start_BrokerOutOfReach_NamesAddressAndCauseWithoutStackTraces(bool failFast)
    {
        using var log = new LogList();
        using var host = Build(failFast, log);
        if (failFast)
        {
            var failure = await Assert.ThrowsAsync<EventBusException>(() => host.StartAsync(Token));
            AssertNames(failure.Message);
            return;
        }

        await host.StartAsync(Token);
        AssertNames(Assert.Single(log.Texts, text => text.Contains("The bus starts without it", StringComparison.Ordinal)));
        var health = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token);
        AssertNames(health.Entries["eventbus"].Description!);
        var error = await Assert.ThrowsAsync<PublishException>(
            () => host.Services.GetRequiredService<IEventBus>().PublishAsync(new TestHappened(1), Token));
        AssertNames(error.Message);
        await host.StopAsync(Token);

        Assert.DoesNotContain(log.Texts, text => text.Contains("   at ", StringComparison.Ordinal));
        Assert.DoesNotContain(log.Texts, text => text.Contains("kX9", StringComparison.Ordinal));
    }

    private static void AssertNames(string text)
    {
        Assert.Contains("RabbitMQ at 127.0.0.1:1", text, StringComparison.Ordinal);
        Assert.Contains("Connection refused", text, StringComparison.Ordinal);
    }

    private static IHost Build(bool failFast, LogList log)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(log).SetMinimumLevel(LogLevel.Information);
        builder.Services.AddHealthChecks();
        builder.Services.AddEventBus(bus => bus
            .UseRabbitMq("amqp://user:kX9-canary@127.0.0.1:1", options => options.CallTimeout = TimeSpan.FromSeconds(1))
            .Subscribe<TestHappened>("any", (_, _, _) => Task.CompletedTask)
            .Configure(options =>
            {
                options.ServiceName = "app";
                options.FailFast = failFast;
                options.PublishTimeout = TimeSpan.FromSeconds(1);
            }));
        return builder.Build();
    }
}
