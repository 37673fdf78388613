package rtlib;

import io.netty.bootstrap.ChannelInitializerExtension;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.ServerChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.GenericFutureListener;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Closes the servers of a Spark whose driver and executor share this process to all other processes.
 *
 * Spark leaves two gaps in any configuration. The servers of real-time mode's streaming shuffle listen on every network
 * interface without authentication. The driver's own server sends files before a client has authenticated.
 *
 * Netty calls this extension for each server and each client of the process. A server for every interface is bound to
 * 127.0.0.1 instead. Every server reads 32 secret bytes from a new connection before anything else; clients in the same
 * process send them first. The bytes are generated at the start of the process and never leave it.
 *
 * Written for Janino, the compiler among Spark's jars: no lambdas, no generics.
 */
public final class LoopbackGuard extends ChannelInitializerExtension {
    private static final byte[] SECRET = new byte[32];
    private static final Map GUARDED = new ConcurrentHashMap(); // port of a guarded server -> its channel

    static {
        new SecureRandom().nextBytes(SECRET);
    }

    public void postInitializeServerListenerChannel(ServerChannel server) {
        server.pipeline().addFirst(new Listener());
    }

    public void postInitializeServerChildChannel(Channel connection) {
        if (GUARDED.containsValue(connection.parent())) {
            connection.pipeline().addFirst(new SecretCheck());
        }
    }

    public void postInitializeClientChannel(Channel client) {
        client.pipeline().addFirst(new SecretSender());
    }

    /** Binds a server for every interface to 127.0.0.1, and guards it. */
    private static final class Listener extends ChannelOutboundHandlerAdapter {
        public void bind(ChannelHandlerContext context, SocketAddress address, final ChannelPromise bound) {
            InetSocketAddress target = (InetSocketAddress) address;
            if (!target.isUnresolved() && target.getAddress().isAnyLocalAddress()) {
                target = new InetSocketAddress(InetAddress.getLoopbackAddress(), target.getPort());
            }
            context.bind(target).addListener(new GenericFutureListener() {
                public void operationComplete(Future done) {
                    if (done.isSuccess()) {
                        guard(bound.channel());
                        bound.trySuccess();
                    } else {
                        bound.tryFailure(done.cause());
                    }
                }
            });
        }
    }

    private static void guard(final Channel server) {
        final Integer port = Integer.valueOf(((InetSocketAddress) server.localAddress()).getPort());
        GUARDED.put(port, server);
        server.closeFuture().addListener(new GenericFutureListener() {
            public void operationComplete(Future closed) {
                GUARDED.remove(port, server);
            }
        });
    }

    /** Passes a connection on to the server once it has sent the secret; closes any other. */
    private static final class SecretCheck extends ByteToMessageDecoder {
        public void channelActive(ChannelHandlerContext context) {
            // Not passed on: the server must not see the connection before it is authenticated.
        }

        protected void decode(ChannelHandlerContext context, ByteBuf received, List out) {
            if (received.readableBytes() < SECRET.length) {
                return;
            }
            byte[] presented = new byte[SECRET.length];
            received.readBytes(presented);
            if (MessageDigest.isEqual(presented, SECRET)) {
                context.fireChannelActive();
                context.pipeline().remove(this);
            } else {
                received.skipBytes(received.readableBytes());
                context.close();
            }
        }

        public void channelInactive(ChannelHandlerContext context) {
            // Never authenticated, so the server must not be notified.
        }

        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            context.close();
        }
    }

    /** Sends the secret before anything else to a guarded server of this process. */
    private static final class SecretSender extends ChannelDuplexHandler {
        private boolean guarded;

        public void connect(
            ChannelHandlerContext context, SocketAddress remote, SocketAddress local, ChannelPromise connected
        ) {
            if (remote instanceof InetSocketAddress) {
                InetSocketAddress address = (InetSocketAddress) remote;
                guarded = !address.isUnresolved() && address.getAddress().isLoopbackAddress()
                    && GUARDED.containsKey(Integer.valueOf(address.getPort()));
            }
            context.connect(remote, local, connected);
        }

        public void channelActive(ChannelHandlerContext context) {
            sendSecret(context);
            context.fireChannelActive();
        }

        public void write(ChannelHandlerContext context, Object message, ChannelPromise written) {
            sendSecret(context); // a listener of the connection may write before the channel counts as active
            context.write(message, written);
        }

        private void sendSecret(ChannelHandlerContext context) {
            if (guarded) {
                context.writeAndFlush(Unpooled.copiedBuffer(SECRET));
            }
            context.pipeline().remove(this);
        }
    }
}
