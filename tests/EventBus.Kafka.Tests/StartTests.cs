using Confluent.Kafka;
using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus.Kafka.Tests;

/// <summary>Tests what the start says when the cluster is out of reach or refuses the application.</summary>
[NeedsBroker]
public sealed class StartTests
{
    private readonly string name = TestBroker.NewName();

    [Fact]
    public async Task Start_WrongPassword_IsAnErrorThatNamesTheSettings()
    {
        var options = TestTransport.Options(name).ConfigureClient(config => config.SaslPassword = "wrong");

        var error = await FailAsync(options, failFast: false);

        Assert.Contains("refuses this application", error.Message, StringComparison.Ordinal);
        Assert.Contains("sasl.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_NoPasswordWhereOneIsNeeded_IsAnErrorThatNamesTheSettings()
    {
        var options = TestTransport.Options(name).ConfigureClient(config => config.SecurityProtocol = SecurityProtocol.Plaintext);

        var error = await FailAsync(options, failFast: true);

        Assert.Contains("security.protocol", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_NoServer_IsAnErrorIfItHasToFailFast()
    {
        var options = TestTransport.Options(name, $"127.0.0.1:{FreePort.Next()}");
        options.CallTimeout = TimeSpan.FromSeconds(2);

        var error = await FailAsync(options, failFast: true);

        Assert.Contains($"Kafka at {options.ConnectionString} was not ready within 00:00:02", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_NoServer_StartsDegradedAndFailsWhatCannotBeSent()
    {
        using var log = new LogList();
        var options = TestTransport.Options(name, $"127.0.0.1:{FreePort.Next()}");
        options.CallTimeout = TimeSpan.FromSeconds(1);
        await using var transport = await TestTransport.StartAsync(name, options, log);

        var outcomes = await transport.PublishAsync(TimeSpan.FromSeconds(1), TestTransport.Event("1"));
        var health = await transport.CheckHealthAsync(TestContext.Current.CancellationToken);

        Assert.Equal(PublishStatus.Failed, outcomes[0].Status);
        Assert.Equal(HealthStatus.Unhealthy, health.Status);
        Assert.Single(log.Texts, text => text.Contains("is out of reach", StringComparison.Ordinal)
            && text.Contains("The bus starts without it", StringComparison.Ordinal));
    }

    [Fact]
    public async Task CheckHealth_ABrokerThatAnswers_IsHealthy()
    {
        await using var transport = await TestTransport.StartAsync(name);

        Assert.Equal(HealthStatus.Healthy, (await transport.CheckHealthAsync(TestContext.Current.CancellationToken)).Status);
    }

    [Fact]
    public async Task Retire_ASubscriptionWithoutAGroup_DoesNothing()
    {
        await using var transport = await TestTransport.StartAsync(name);

        await transport.RetireAsync("never-used", discardWaiting: false, TestContext.Current.CancellationToken);
    }

    private async Task<EventBusException> FailAsync(KafkaOptions options, bool failFast)
    {
        await using var transport = TestTransport.Create(options);
        var topology = TestTransport.Topology(name) with { FailFast = failFast };
        var error = await Assert.ThrowsAsync<EventBusException>(
            () => transport.StartAsync(topology, TestContext.Current.CancellationToken).AsTask());
        Assert.DoesNotContain(Canary.Password, error.ToString(), StringComparison.Ordinal);
        return error;
    }
}
