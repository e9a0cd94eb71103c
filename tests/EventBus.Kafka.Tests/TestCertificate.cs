using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EventBus.Kafka.Tests;

/// <summary>A certificate of this machine that has signed itself.</summary>
internal sealed class TestCertificate
{
    private TestCertificate(string file, string text) => (File, Text) = (file, text);

    /// <summary>The file with the certificate and its private key.</summary>
    public string File { get; }

    /// <summary>The certificate in PEM, which a client may trust.</summary>
    public string Text { get; }

    /// <summary>Creates a certificate, and writes it and its key into a folder.</summary>
    public static TestCertificate Create(string folder)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        var file = Path.Combine(folder, "broker.pem");
        System.IO.File.WriteAllText(file, $"{key.ExportPkcs8PrivateKeyPem()}\n{certificate.ExportCertificatePem()}\n");
        return new TestCertificate(file, certificate.ExportCertificatePem());
    }
}
