using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.DependencyInjection;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

/// <summary>
/// Shows that an <c>amqps://</c> address requires a certificate that is valid and issued for its host.
/// </summary>
public sealed class TlsTests : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The client's own setting would accept each certificate whose only error is the name.</summary>
    [Fact]
    public void Address_WithTls_AcceptsNoInvalidCertificate()
    {
        var ssl = Assert.IsType<ConnectionFactory>(
            RabbitMqConnectionSource.Of("amqps://user:secret@broker.example", new RabbitMqOptions()).Factory).Ssl;

        Assert.Equal((true, SslPolicyErrors.None, "broker.example"), (ssl.Enabled, ssl.AcceptablePolicyErrors, ssl.ServerName));
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("other.example")]
    public async Task Certificate_OfAnUnknownIssuerOrAnotherHost_IsRefused(string host)
    {
        using var certificate = CertificateOf(host);
        listener.Start();
        var serving = ServeAsync(certificate);

        var source = RabbitMqConnectionSource.Of(
            $"amqps://localhost:{((IPEndPoint)listener.LocalEndpoint).Port}",
            new RabbitMqOptions { CallTimeout = TimeSpan.FromSeconds(5) });
        var error = await Assert.ThrowsAnyAsync<Exception>(() => source.OpenAsync("tests", new ConnectionTraffic()));

        Assert.Contains(nameof(AuthenticationException), error.ToString(), StringComparison.Ordinal);
        Assert.False(await serving.WaitAsync(TestBroker.Patience, Cancel), "The client has sent data after the handshake.");
    }

    /// <summary>TLS is decrypted below the client, so that headers are checked there as well.</summary>
    [Fact]
    public async Task Header_ThatTheClientCannotReadOverTls_IsADeadLetter()
    {
        var name = TestBroker.NewName();
        var handled = new Seen<int>();
        using var certificate = CertificateOf("localhost");
        listener.Start();
        _ = AcceptAsync(certificate);
        var factory = new ConnectionFactory { Uri = TestBroker.Uri };
        (factory.HostName, factory.Port) = ("localhost", ((IPEndPoint)listener.LocalEndpoint).Port);
        factory.Ssl = new SslOption("localhost", enabled: true) { AcceptablePolicyErrors = SslPolicyErrors.RemoteCertificateChainErrors };
        await using var app = await TestBus.StartAsync(name, bus =>
        {
            bus.Services.AddSingleton<IConnectionFactory>(factory);
            bus.UseRabbitMq(options => options.Exchange = name).StoreInMemory().Subscribe<TestHappened>("tests", (e, _, _) =>
            {
                handled.Add(e.Number);
                return Task.CompletedTask;
            });
        });

        await RawPublisher.PublishAsync(TestBroker.Uri, name, "test.happened", [RawPublisher.Nested("deep", 25_000)], "{\"number\":1}");
        await app.Bus.PublishAsync(new TestHappened(2), Cancel);

        Assert.Equal(2, await handled.NextAsync("the event behind it"));
        await Until.TrueAsync(
            "there is a dead letter",
            async () => await app.DeadLetters.CountAsync(cancellationToken: Cancel) != 0,
            Cancel);
    }

    public void Dispose() => listener.Dispose();

    private static X509Certificate2 CertificateOf(string host)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest($"CN={host}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        return request.CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(1));
    }

    private async Task AcceptAsync(X509Certificate2 certificate)
    {
        while (true)
        {
            _ = ForwardDecryptedAsync(await listener.AcceptTcpClientAsync(), certificate);
        }
    }

    /// <summary>Decrypts TLS like a broker, and forwards the data.</summary>
    private static async Task ForwardDecryptedAsync(TcpClient from, X509Certificate2 certificate)
    {
        using var client = from;
        using var broker = new TcpClient();
        await using var stream = new SslStream(client.GetStream());
        await stream.AuthenticateAsServerAsync(certificate);
        await broker.ConnectAsync(TestBroker.Uri.Host, TestBroker.Uri.Port);
        await using var plain = broker.GetStream();
        await Task.WhenAny(stream.CopyToAsync(plain), plain.CopyToAsync(stream));
    }

    /// <summary>Returns true if the client continued with its protocol.</summary>
    private async Task<bool> ServeAsync(X509Certificate2 certificate)
    {
        using var client = await listener.AcceptTcpClientAsync(Cancel);
        await using var stream = new SslStream(client.GetStream());
        try
        {
            await stream.AuthenticateAsServerAsync(certificate);
            return await stream.ReadAsync(new byte[8], Cancel) > 0;
        }
        catch (Exception exception) when (exception is IOException or AuthenticationException)
        {
            return false;
        }
    }
}
