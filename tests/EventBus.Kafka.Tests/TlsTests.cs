using Confluent.Kafka;
using EventBus.Conformance;
using EventBus.Transports;

namespace EventBus.Kafka.Tests;

/// <summary>Tests TLS with a password on a real broker, and clients that use another protocol than its port.</summary>
[NeedsBroker, Collection(typeof(PrivateBrokerCollection))]
public sealed class TlsTests(PrivateBroker broker)
{
    private readonly string name = TestBroker.NewName();

    private string Address => $"127.0.0.1:{broker.Node.TlsPort}";

    [Fact]
    public async Task Publish_OverTlsWithAPassword_IsAccepted()
    {
        var options = Options(Address, SecurityProtocol.SaslSsl, broker.Certificate.Text);
        await using var transport = await TestTransport.StartAsync(name, options);

        Assert.Equal([PublishOutcome.Accepted], await transport.PublishAsync(TestBroker.Patience, TestTransport.Event("1")));
        Assert.Single(RawClient.Read($"{name}-order-events", 1, broker.Node.Address));
    }

    [Fact]
    public async Task Start_CertificateOfAnUnknownIssuer_IsAnErrorThatNamesIt()
    {
        var error = await FailAsync(Options(Address, SecurityProtocol.SaslSsl, trusted: null));

        Assert.Contains("certificate", error.Message, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>
    /// The client cannot tell each of these mistakes from a server that is down. The error says where, and ends the
    /// wait.
    /// </summary>
    [Theory]
    [InlineData(SecurityProtocol.SaslSsl, false)]
    [InlineData(SecurityProtocol.Ssl, false)]
    [InlineData(SecurityProtocol.SaslPlaintext, true)]
    [InlineData(SecurityProtocol.Plaintext, true)]
    public async Task Start_ProtocolThatThePortDoesNotHave_IsAnErrorThatNamesTheAddress(SecurityProtocol protocol, bool portHasTls)
    {
        var address = portHasTls ? Address : broker.Node.PlainAddress;

        var error = await FailAsync(Options(address, protocol, broker.Certificate.Text));

        Assert.Contains(address, error.Message, StringComparison.Ordinal);
    }

    private KafkaOptions Options(string address, SecurityProtocol protocol, string? trusted)
    {
        var options = TestTransport.Options(name, address).ConfigureClient(config =>
            (config.SecurityProtocol, config.SslCaPem) = (protocol, trusted));
        options.CallTimeout = TimeSpan.FromSeconds(5);
        return options;
    }

    private async Task<EventBusException> FailAsync(KafkaOptions options)
    {
        await using var transport = TestTransport.Create(options);
        var topology = TestTransport.Topology(name) with { FailFast = true };
        var error = await Assert.ThrowsAsync<EventBusException>(
            () => transport.StartAsync(topology, TestContext.Current.CancellationToken).AsTask());
        Assert.DoesNotContain(Canary.Password, error.ToString(), StringComparison.Ordinal);
        return error;
    }
}
