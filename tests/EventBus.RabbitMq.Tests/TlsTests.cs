using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

/// <summary>An <c>amqps://</c> address asks for a certificate that is valid, and made for its host.</summary>
public sealed class TlsTests : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The client's own setting would let every certificate through whose only fault is the name.</summary>
    [Fact]
    public void Address_WithTls_AcceptsNoFaultOfACertificate()
    {
        var ssl = Assert.IsType<ConnectionFactory>(RabbitMqSource.Of("amqps://user:secret@broker.example", new RabbitMqOptions()).Factory).Ssl;

        Assert.Equal((true, SslPolicyErrors.None, "broker.example"), (ssl.Enabled, ssl.AcceptablePolicyErrors, ssl.ServerName));
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("other.example")]
    public async Task Certificate_OfAnUnknownIssuerOrAnotherHost_IsRefused(string host)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest($"CN={host}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(1));
        listener.Start();
        var serving = ServeAsync(certificate);

        var source = RabbitMqSource.Of($"amqps://localhost:{((IPEndPoint)listener.LocalEndpoint).Port}", new RabbitMqOptions { CallTimeout = TimeSpan.FromSeconds(5) });
        var error = await Assert.ThrowsAnyAsync<Exception>(() => source.OpenAsync("tests", new WireTraffic()));

        Assert.Contains(nameof(AuthenticationException), error.ToString(), StringComparison.Ordinal);
        Assert.False(await serving.WaitAsync(TestBroker.Patience, Cancel), "The client has said something after the handshake.");
    }

    public void Dispose() => listener.Dispose();

    /// <summary>Whether the client went on to speak its protocol.</summary>
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
