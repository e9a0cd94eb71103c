using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Wraps the client's TCP connection, so that the client reads through <see cref="RabbitMqGuardedStream"/>. TLS is
/// handled here and not in the client, so that the stream reads decrypted data.
/// </summary>
/// <param name="inner">The TCP connection of the client.</param>
/// <param name="tls">The TLS options; null for no TLS.</param>
/// <param name="traffic">Counts the received bytes.</param>
internal sealed class RabbitMqGuardedClient(ITcpClient inner, SslOption? tls, ConnectionTraffic traffic) : ITcpClient
{
    private Stream? stream;

    public bool Connected => inner.Connected;

    public TimeSpan ReceiveTimeout
    {
        get => inner.ReceiveTimeout;
        set => inner.ReceiveTimeout = value;
    }

    public Socket Client => inner.Client;

    public async Task ConnectAsync(IPAddress host, int port, CancellationToken cancellationToken = default)
    {
        await inner.ConnectAsync(host, port, cancellationToken);
        stream = tls is null ? inner.GetStream() : await SecureAsync(tls, cancellationToken);
    }

    public NetworkStream GetStream() =>
        new RabbitMqGuardedStream(inner.Client, stream ?? throw new InvalidOperationException("ConnectAsync was not called."), traffic);

    public void Close() => inner.Close();

    public void Dispose() => inner.Dispose();

    /// <summary>Establishes TLS in the same way as the client.</summary>
    private async Task<Stream> SecureAsync(SslOption options, CancellationToken cancellationToken)
    {
        var tlsStream = new SslStream(inner.GetStream(), leaveInnerStreamOpen: false);
        try
        {
            await tlsStream.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = options.ServerName,
                    EnabledSslProtocols = options.Version,
                    ClientCertificates = options.Certs,
                    ClientCertificateContext = options.ClientCertificateContext,
                    CertificateRevocationCheckMode = options.CheckCertificateRevocation
                        ? X509RevocationMode.Online
                        : X509RevocationMode.NoCheck,
                    RemoteCertificateValidationCallback = options.CertificateValidationCallback
                        ?? ((_, _, _, errors) => (errors & ~options.AcceptablePolicyErrors) == SslPolicyErrors.None),
                    LocalCertificateSelectionCallback = options.CertificateSelectionCallback ?? SelectCertificate,
                },
                cancellationToken);
            return tlsStream;
        }
        catch (Exception)
        {
            await tlsStream.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Selects the certificate like the client: one whose issuer the broker accepts, otherwise the first; null for
    /// none.
    /// </summary>
    private static X509Certificate SelectCertificate(
        object sender,
        string targetHost,
        X509CertificateCollection certificates,
        X509Certificate? remoteCertificate,
        string[] acceptableIssuers) =>
        certificates.Cast<X509Certificate>().FirstOrDefault(certificate => acceptableIssuers.Contains(certificate.Issuer))
            ?? (certificates.Count > 0 ? certificates[0] : null!);
}
